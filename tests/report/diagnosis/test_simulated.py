"""1000 simulated studies: planted pathologies are found, and clean runs have no findings."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Finding

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


@dataclass
class Counts:
    """Counts of planted and found pathologies by kind, and of findings in clean runs and studies."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    epoch_errors: dict[str, list[float]] = field(default_factory=lambda: {"overfitting": [], "diverged": []})
    clean_runs: int = 0
    clean_runs_with_findings: int = 0
    clean_studies: int = 0
    findings_of_clean_studies: int = 0

    def add_runs(self, runs: dict[str, Any], findings: list[Finding]) -> None:
        """Count what was planted and found in these runs, given by name."""
        of_run = {(one.subject, one.kind): one for one in findings if one.scope == "run"}
        subjects = {subject for subject, _ in of_run}
        for run, curves in runs.items():
            kind = RUN_KINDS.get(curves.planted, "")
            if not kind:
                self.clean_runs += 1
                self.clean_runs_with_findings += run in subjects
                continue
            self.planted[curves.planted] += 1
            self.found[curves.planted] += (run, kind) in of_run
            if kind in self.epoch_errors and (run, kind) in of_run:
                error = of_run[run, kind].numbers["epoch"] - curves.truth["epoch"]
                self.epoch_errors[kind].append(abs(error))

    def add_sweep(self, plan: str, findings: list[Finding]) -> None:
        """Count what was planted and found in a whole sweep."""
        kinds = {one.kind for one in findings if one.scope == "sweep"}
        if plan in SWEEP_KINDS:
            self.planted[plan] += 1
            self.found[plan] += plan in kinds
        else:
            self.clean_studies += 1
            # That the best setting leads by a sample or two is true of most equal settings.
            self.findings_of_clean_studies += len(kinds - {"small validation set"})


@pytest.mark.slow
def test_planted_pathologies_are_found_and_clean_runs_have_no_findings(
    simulator: Any, join_runs: Any
) -> None:
    """Studies with a pathology in single runs are checked together, each on its own data, to save time."""
    counts = Counts()
    recorded: list[Any] = []
    together: dict[str, Any] = {}
    for seed in range(STUDIES):
        plan = PLANS[seed % len(PLANS)]
        made = simulator(seed, (30, 60, 100)[seed % 3], (200, 500, 1000, 5000)[seed % 4])
        runs = grid(made, plan)
        if plan in RUN_KINDS:
            together |= {f"run{len(together) + index:04}": run for index, (_, run) in enumerate(runs)}
            recorded += made.record([(changes | {"data.name": f"data{seed}"}, run) for changes, run in runs])
            continue
        findings = diagnose(made.study(runs)).findings
        counts.add_sweep(plan, findings)
        # Clean runs of a sweep with different settings do not count: some rightly have findings.
        named = {f"run{index:04}": run for index, (_, run) in enumerate(runs)}
        named = {name: run for name, run in named.items() if plan == "clean" or run.planted}
        counts.add_runs(named, findings)
    counts.add_runs(together, diagnose(join_runs(recorded)).findings)
    rates = {kind: counts.found[kind] / counts.planted[kind] for kind in (*RUN_KINDS, *SWEEP_KINDS)}
    assert {kind: rate for kind, rate in rates.items() if rate < 0.95} == {}
    assert counts.clean_runs > 2500
    assert counts.clean_runs_with_findings <= 0.02 * counts.clean_runs
    assert counts.findings_of_clean_studies <= 0.02 * counts.clean_studies
    errors = counts.epoch_errors["overfitting"]
    assert sum(error <= 5 for error in errors) >= 0.95 * len(errors)
    assert set(counts.epoch_errors["diverged"]) == {0}
