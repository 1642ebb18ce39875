"""1000 studies with a known truth: what is planted is named, and clean runs are left alone."""

from collections import Counter
from typing import Any

import pytest

from dlx.report.diagnosis.diagnose import diagnose

STUDIES = 1000
SEEDS = 2
SWEEP_SEEDS = 3
RUN_KINDS = {
    "overfitting": "overfitting",
    "not_converged": "not converged",
    "never_learned": "never learned",
    "underfitting": "underfitting",
    "spiked": "unstable",
    "forgetful": "unstable",
    "diverged": "diverged",
}
SWEEP_KINDS = ("edge of the grid", "ranking not settled", "stability frontier", "importance")
PLANS = ("clean", *RUN_KINDS, "clean", *SWEEP_KINDS, "clean")


def grid(simulator: Any, plan: str) -> list[tuple[dict[str, Any], Any]]:
    """Return runs with their changes; the first setting of a study with a planted run is the planted one."""
    speed = simulator.draw.uniform(1 / 60, 1 / 10)
    rates = (0.1, 0.01, 0.001)
    if plan in RUN_KINDS:
        return [
            (
                {"optimizer.lr": rate},
                getattr(simulator, plan)() if rate == 0.1 else simulator.clean(speed=speed),
            )
            for rate in rates[:2]
            for _ in range(SEEDS)
        ]
    if plan == "importance":
        return [
            ({"optimizer.lr": rate, "batch_size": size}, simulator.clean(accuracy, speed))
            for rate, accuracy in zip(rates, (0.7, 0.9, 0.6), strict=True)
            for size in (16, 32)
            for _ in range(SWEEP_SEEDS)
        ]
    make = {
        "clean": lambda rate: simulator.clean(speed=speed),
        "edge of the grid": lambda rate: simulator.clean({0.1: 0.5, 0.01: 0.7, 0.001: 0.9}[rate], speed),
        "ranking not settled": lambda rate: (
            simulator.overtaking() if rate == 0.1 else simulator.clean(0.7, speed)
        ),
        "stability frontier": lambda rate: (
            simulator.diverged() if rate == 0.1 else simulator.clean(0.8, speed)
        ),
    }[plan]
    return [({"optimizer.lr": rate}, make(rate)) for rate in rates for _ in range(SWEEP_SEEDS)]


@pytest.fixture(scope="module")
def outcome(simulator: Any) -> dict[str, Any]:
    """Diagnose all studies; count what was planted, what was found, and what was found on clean runs."""
    planted, named, alarms = Counter[str](), Counter[str](), Counter[str]()
    errors, clean_runs, alarmed_runs, clean_studies = [], 0, 0, 0
    for place in range(STUDIES):
        plan = PLANS[place % len(PLANS)]
        epochs, samples = (30, 60, 100)[place % 3], (200, 500, 1000, 5000)[place % 4]
        made = simulator(place, epochs, samples)
        runs = grid(made, plan)
        findings = diagnose(*made.study(runs)).findings
        by_run: dict[str, dict[str, Any]] = {}
        for one in findings:
            if one.scope == "run":
                by_run.setdefault(one.subject, {})[one.kind] = one
        for number, (_, curves) in enumerate(runs):
            found = by_run.get(f"run{number:04}", {})
            if curves.planted:
                planted[curves.planted] += 1
                named[curves.planted] += RUN_KINDS[curves.planted] in found
                if curves.planted in ("overfitting", "diverged") and RUN_KINDS[curves.planted] in found:
                    error = found[RUN_KINDS[curves.planted]].numbers["epoch"] - curves.truth["epoch"]
                    errors.append((curves.planted, error))
            elif plan not in SWEEP_KINDS:  # there some settings lag far behind the best, and are said to
                clean_runs += 1
                alarmed_runs += bool(found)
        of_sweep = {one.kind for one in findings if one.scope == "sweep"}
        if plan in SWEEP_KINDS:
            planted[plan] += 1
            named[plan] += plan in of_sweep
        if plan == "clean":
            clean_studies += 1
            alarms.update(of_sweep)
    return {
        "rates": {kind: named[kind] / planted[kind] for kind in planted},
        "errors": errors,
        "false": alarmed_runs / clean_runs,
        "clean_runs": clean_runs,
        "false_sweep": sum(alarms.values()) / clean_studies,
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*RUN_KINDS, *SWEEP_KINDS])
def test_what_is_planted_is_named(outcome: dict[str, Any], kind: str) -> None:
    assert outcome["rates"][kind] >= 0.95


@pytest.mark.slow
def test_clean_runs_and_sweeps_are_left_alone(outcome: dict[str, Any]) -> None:
    assert outcome["clean_runs"] > 2500
    assert outcome["false"] <= 0.02
    assert outcome["false_sweep"] <= 0.02


@pytest.mark.slow
def test_the_epoch_is_that_of_the_truth(outcome: dict[str, Any]) -> None:
    overfitting = [abs(error) for kind, error in outcome["errors"] if kind == "overfitting"]
    assert sum(error <= 5 for error in overfitting) >= 0.95 * len(overfitting)
    assert all(error == 0 for kind, error in outcome["errors"] if kind == "diverged")
