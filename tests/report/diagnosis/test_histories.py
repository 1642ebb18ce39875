"""The kinds of histories that people have, and what the diagnosis says about each."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from dlx.report.diagnosis.diagnose import diagnose
from tests.report.diagnosis.histories import History, Maker

SEEDS = 40
Kind = tuple[str, int, Callable[[Maker], History]]

HEALTHY: tuple[Kind, ...] = (
    ("constant rate", 60, lambda make: make.healthy(make.constant())),
    ("warm-up", 60, lambda make: make.healthy(make.warm_up())),
    ("warm-up with a jump", 60, Maker.warm_up_jump),
    ("cosine to zero", 60, lambda make: make.healthy(make.cosine())),
    ("linear to zero", 60, lambda make: make.healthy(make.linear())),
    ("exponential decay", 60, lambda make: make.healthy(make.exponential())),
    ("cosine with restarts", 90, lambda make: make.healthy(make.restarts())),
    ("step decay, flat since", 60, lambda make: make.healthy(make.steps())),
    ("one-cycle", 60, lambda make: make.healthy(make.one_cycle())),
    ("triangular cycles", 90, lambda make: make.healthy(make.triangles())),
    ("fine-tuning", 20, Maker.fine_tuned),
    ("early stopping", 40, Maker.early_stopped),
    ("three epochs", 3, lambda make: make.healthy(make.constant())),
    ("a thousand epochs", 1000, lambda make: make.healthy(make.constant())),
    ("a thousand epochs, cosine", 1000, lambda make: make.healthy(make.cosine())),
    ("double descent", 200, Maker.double_descent),
    ("strong augmentation", 60, Maker.regularised),
    ("regression", 60, Maker.regression),
    ("95:5 classes at 0.98", 60, Maker.imbalanced),
    ("perfect", 60, Maker.perfect),
    ("late start", 100, Maker.late_start),
    ("rate not recorded", 60, Maker.without_rate),
)
PLANTED: tuple[tuple[Kind, str], ...] = (
    (("too few epochs", 60, lambda make: make.short(make.constant())), "not converged"),
    (("too short a cosine", 60, lambda make: make.short(make.cosine())), "not converged: problem"),
    (("falling since the last step", 60, Maker.still_falling_after_step), "not converged: problem"),
    (("rate far too small", 60, lambda make: make.too_slow(make.constant())), "too slow: problem"),
    (("rate too small, cosine", 60, lambda make: make.too_slow(make.cosine())), "too slow: problem"),
    (("overfitting, accuracy falls", 60, lambda make: make.overfitting(-0.1)), "overfitting: problem"),
    (("overfitting, accuracy rises", 60, lambda make: make.overfitting(0.03)), "overfitting: trade-off"),
    (("memorisation", 60, Maker.memorising), "memorising: note"),
    (("grokking", 1000, Maker.grokking), "grokking: note"),
    (("a NaN epoch in between", 60, lambda make: make.with_nan(30)), "lost epochs: problem"),
    (("NaN at the last epoch", 60, lambda make: make.with_nan(-1)), "lost epochs: problem"),
    (("collapse in the last epoch", 60, lambda make: make.collapse(1)), "collapse at the end: problem"),
    (("collapse in the last three", 60, lambda make: make.collapse(3)), "collapse at the end: problem"),
    (
        ("the loss explodes at the end", 60, lambda make: make.collapse(2, loss_only=True)),
        "collapse at the end: note",
    ),
    (("a restart at the end", 60, Maker.restart_at_the_end), "collapse at the end: problem"),
    (("spikes", 60, Maker.spiked), "unstable: problem"),
    (("forgets", 60, Maker.forgetful), "unstable: problem"),
    (("swings", 60, Maker.swinging), "unstable: problem"),
    (("diverged", 60, Maker.diverged), "diverged: problem"),
    (("guesses", 60, Maker.guessing), "never learned: problem"),
    (("names the largest class", 60, Maker.majority), "never learned: problem"),
    (("predicts the mean", 60, Maker.predicts_the_mean), "never learned: problem"),
    (("loss never falls", 60, Maker.loss_never_falls), "never learned: problem"),
    (("underfits", 60, Maker.underfitting), "underfitting: problem"),
)


def verdicts(kind: Kind, join_runs: Any, seeds: int = SEEDS) -> Counter[str]:
    """Count what is said about runs of a kind: "kind: severity" of each finding, in the checks' order."""
    name, epochs, make = kind
    recorded = []
    for seed in range(seeds):
        maker = Maker(seed + 1000 * sum(map(ord, name)), epochs)
        run = make(maker)
        settings = {
            "seed": seed,
            "data.name": f"data{seed}",
            "classes": run.classes,
            "data.val_size": run.samples,
        }
        settings = {"loss.name": "cross_entropy", **settings, **run.settings}
        recorded.append((settings, run.status, maker.noisy(run)))
    said: dict[str, list[str]] = {f"run{seed:04}": [] for seed in range(seeds)}
    for one in diagnose(join_runs(recorded)).findings:
        if one.scope == "run":
            said[one.subject].append(f"{one.kind}: {one.severity}")
    return Counter(", ".join(each) or "nothing" for each in said.values())


def test_healthy_histories_have_no_findings(join_runs: Any) -> None:
    counts = {kind[0]: verdicts(kind, join_runs) for kind in HEALTHY}
    said = {name: count for name, count in counts.items() if count["nothing"] < SEEDS}
    assert sum(SEEDS - count["nothing"] for count in counts.values()) <= 0.01 * SEEDS * len(HEALTHY), said


@pytest.mark.parametrize(("kind", "expected"), PLANTED, ids=[kind[0] for kind, _ in PLANTED])
def test_what_is_wrong_is_named_and_nothing_else(kind: Kind, expected: str, join_runs: Any) -> None:
    counts = verdicts(kind, join_runs)
    named = sum(count for said, count in counts.items() if expected in (said, said.partition(":")[0]))
    assert named >= 0.95 * SEEDS, counts
