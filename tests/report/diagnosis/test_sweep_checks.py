"""Checks of a whole sweep, by value: ranking, edge of the grid, stability limit, importance."""

from typing import Any

import numpy as np
import pytest

from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.diagnosis.importance import main_effects


def of_sweep(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {one.kind: one for one in diagnosis.findings if one.scope == "sweep"}


def swept(made: Any, key: str, accuracies: dict[Any, float], seeds: int = 3) -> Diagnosis:
    """Diagnose a sweep over one key whose runs end with these validation accuracies, seeds 0.001 apart."""
    runs = [
        ({key: value}, made.clean(accuracy=accuracy, speed=1 / 60))
        for value, accuracy in accuracies.items()
        for _ in range(seeds)
    ]
    analysis = made.study(runs)
    exact = [a + 0.001 * seed for a in accuracies.values() for seed in range(seeds)]
    analysis.data.runs["val_accuracy_last"] = exact
    return diagnose(analysis)


@pytest.fixture
def made(simulator: Any) -> Any:
    return simulator(0, 60, 500)


@pytest.mark.parametrize(
    ("accuracies", "value"),
    [
        ({0.1: 0.9, 0.01: 0.8, 0.001: 0.7}, 0.1),
        ({0.1: 0.7, 0.01: 0.8, 0.001: 0.9}, 0.001),
        ({0.1: 0.7, 0.01: 0.9, 0.001: 0.8}, None),
        ({0.1: 0.8005, 0.01: 0.8, 0.001: 0.7}, None),  # within noise of an interior value
        ({0.1: 0.9, 0.01: 0.8}, None),  # with two values, both are an edge
        ({0.0: 0.9, 0.1: 0.8, 0.2: 0.7}, None),  # nothing to try below 0
    ],
)
def test_the_best_value_at_the_edge_is_reported_if_no_interior_value_is_as_good(
    made: Any, accuracies: dict[float, float], value: float | None
) -> None:
    found = of_sweep(swept(made, "optimizer.lr", accuracies)).get("edge of the grid")
    assert (found.numbers["value"] if found else None) == value


def test_an_edge_is_reported_with_its_lead_in_standard_errors(made: Any) -> None:
    found = of_sweep(swept(made, "optimizer.lr", {1: 0.7, 2: 0.8, 3: 0.81}))["edge of the grid"]
    assert found.numbers["standard_errors"] == pytest.approx(0.01 / (0.001 * np.sqrt(2 / 3)))
    assert found.sentence == (
        "The best lr, 3, is the largest that was tried (1 to 3). Its validation accuracy is 0.8110; "
        "the best value inside the range, 2, has 0.8010. Try larger values."
    )


def test_an_edge_without_any_variation_has_no_standard_errors(made: Any) -> None:
    runs = [({"optimizer.lr": rate}, made.clean()) for rate in (1, 2, 3) for _ in range(3)]
    analysis = made.study(runs)
    analysis.data.runs["val_accuracy_last"] = [score for score in (0.7, 0.8, 0.9) for _ in range(3)]
    found = of_sweep(diagnose(analysis))["edge of the grid"]
    assert "standard_errors" not in found.numbers


def test_single_runs_are_compared_with_the_noise_of_the_validation_sample(made: Any) -> None:
    near = swept(made, "optimizer.lr", {1: 0.7, 2: 0.8, 3: 0.84}, seeds=1)
    far = swept(made, "optimizer.lr", {1: 0.7, 2: 0.8, 3: 0.94}, seeds=1)
    assert "edge of the grid" not in of_sweep(near)
    error = np.sqrt(2 * 0.8 * 0.2 / 500)
    assert of_sweep(far)["edge of the grid"].numbers["standard_errors"] == pytest.approx(0.14 / error)


def test_choices_have_no_edge(made: Any) -> None:
    diagnosis = swept(made, "model.norm", {"none": 0.7, "batch": 0.8, "layer": 0.9})
    assert ("edge of the grid", "no key has three or more numeric values") in diagnosis.unchecked


GRID = {  # by optimizer: the mean accuracy at each learning rate
    "sgd": {0.0001: 0.23, 0.001: 0.46, 0.01: 0.68, 0.1: 0.75},
    "adam": {0.0001: 0.76, 0.001: 0.80, 0.01: 0.77, 0.1: 0.30},
}


def crossed(
    made: Any, grid: dict[str, dict[float, float]], lost: set[tuple[str, float]] = frozenset()
) -> list[Finding]:
    """Find the edges of optimizers by rates with 3 seeds 0.005 apart; the runs in `lost` diverged."""
    cells = [(name, rate, mean) for name, line in grid.items() for rate, mean in line.items()]
    analysis = made.study(
        [
            (
                {"optimizer.name": name, "optimizer.lr": rate},
                made.diverged() if (name, rate) in lost else made.clean(accuracy=mean),
            )
            for name, rate, mean in cells
            for _ in range(3)
        ]
    )
    analysis.data.runs["val_accuracy_last"] = [m + 0.005 * seed for _, _, m in cells for seed in range(3)]
    return [one for one in diagnose(analysis).findings if one.kind == "edge of the grid"]


def test_each_optimizers_rates_are_looked_at(made: Any) -> None:
    (found,) = crossed(made, GRID)
    assert found.severity == "problem"
    assert found.sentence == (
        "sgd: validation accuracy still improves at the largest lr that was tried (0.2350 at 0.0001, 0.4650 "
        "at 0.001, 0.6850 at 0.01, 0.7550 at 0.1). Try larger values: they could catch up with the best "
        "setting (0.8050)."
    )
    assert found.numbers["value"] == 0.1
    assert found.numbers["standard_errors"] == pytest.approx(0.07 / (0.005 * np.sqrt(2 / 3)))


def test_an_edge_that_cannot_catch_up_is_a_note(made: Any) -> None:
    slow = {0.0001: 0.23, 0.001: 0.30, 0.01: 0.36, 0.1: 0.40}
    (found,) = crossed(made, GRID | {"sgd": slow})
    assert found.severity == "note"
    assert found.sentence.endswith("(0.8050) is too far ahead for larger values to catch up soon.")


def test_a_value_beyond_the_edge_that_diverged_was_tried(made: Any) -> None:
    grid = {name: line | {1.0: 0.1} for name, line in GRID.items()}
    assert crossed(made, grid, lost={("sgd", 1.0), ("adam", 1.0)}) == []


def test_several_lines_share_a_sentence_and_the_best_has_its_own(made: Any) -> None:
    rising = {0.001: 0.60, 0.01: 0.70, 0.1: 0.76}
    grid = {"adam": {0.001: 0.6, 0.01: 0.7, 0.1: 0.8}} | {f"sgd{index}": rising for index in range(5)}
    best, others = crossed(made, grid)
    assert best.sentence.startswith(
        "The best lr for adam, 0.1, is the largest that was tried (0.001 to 0.1)."
    )
    assert others.sentence == (
        "In 5 of 6 combinations of the other keys, validation accuracy still improves at the largest lr that "
        "was tried: sgd0; sgd1; sgd2 and 2 more. Try larger values: they could catch up with the best "
        "setting (0.8050)."
    )
    assert (others.numbers["edges"], others.numbers["lines"]) == (5, 6)


def test_half_of_the_settings_failing_is_a_problem_of_the_sweep(made: Any) -> None:
    def failing(lost: int) -> Finding | None:
        runs = [
            ({"optimizer.lr": rate}, made.never_learned() if rate < lost else made.clean(0.8))
            for rate in range(4)
            for _ in range(2)
        ]
        return of_sweep(diagnose(made.study(runs))).get("failing settings")

    assert failing(1) is None
    assert (found := failing(2)) is not None
    assert found.sentence == "Training failed in most runs of 2 of 4 settings: lr 0; lr 1."


def test_unstable_settings_have_not_failed(made: Any) -> None:
    runs = [
        ({"optimizer.lr": rate}, made.spiked() if rate else made.clean(0.8)) for rate in (0, 0, 1, 1, 2, 2)
    ]
    assert "failing settings" not in of_sweep(diagnose(made.study(runs)))


def test_slow_runs_and_lost_epochs_are_not_failed_training(made: Any) -> None:
    curves = [made.clean(accuracy=0.8, speed=5)] * 2 + [made.clean(0.8)] * 2
    analysis = made.study([({"optimizer.lr": rate}, each) for rate, each in enumerate(curves)])
    histories = analysis.data.histories
    slow = histories["run"].isin(list(analysis.data.runs.index[:2]))
    histories.loc[slow, "lr"] = 1e-6
    histories.loc[~slow & histories["epoch"].isin([20, 21]), "train_loss"] = np.inf
    kinds = {each.kind for each in diagnose(analysis).findings}
    assert {"too slow", "lost epochs"} <= kinds
    assert "failing settings" not in kinds


@pytest.mark.parametrize(
    ("samples", "lead", "words"),
    [
        (18, 0.3, "With 18 validation samples, one sample is 5.6 points of accuracy. A larger"),
        (18, 1 / 18, "leads by 5.6 points, at most one sample."),
        (500, 0.004, "leads by 0.4 points, 2 samples."),
        (500, 0.006, None),
    ],
)
def test_what_a_validation_sample_is_worth_is_said_if_it_matters(
    simulator: Any, samples: int, lead: float, words: str | None
) -> None:
    found = of_sweep(swept(simulator(0, 60, samples), "optimizer.lr", {1: 0.6, 2: 0.6 + lead}))
    assert (words in found["small validation set"].sentence) if words else "small validation set" not in found


def test_a_rate_that_decays_moves_the_ranking_by_itself(made: Any) -> None:
    runs = [
        ({"optimizer.lr": rate}, made.overtaking() if rate == 1 else made.clean(0.7))
        for rate in (1, 2)
        for _ in range(3)
    ]
    analysis = made.study(runs)
    analysis.data.histories["lr"] = 1.0 - analysis.data.histories["epoch"] / 60
    diagnosis = diagnose(analysis)
    assert "ranking not settled" not in of_sweep(diagnosis)
    assert "the learning rate changes" in dict(diagnosis.unchecked)["ranking not settled"]


def test_a_rank_reversal_is_reported_with_both_scores(made: Any) -> None:
    runs = [
        ({"optimizer.lr": rate}, made.overtaking() if rate == 1 else made.clean(0.7))
        for rate in (1, 2)
        for _ in range(3)
    ]
    found = of_sweep(diagnose(made.study(runs)))["ranking not settled"]
    assert found.severity == "problem"
    assert found.sentence.startswith("The ranking was still changing: lr 1 (")
    assert "overtook lr 2 (" in found.sentence
    assert found.numbers["epoch"] == 48
    assert found.numbers["earlier"] == pytest.approx(0.6, abs=0.03)
    assert found.numbers["end"] == pytest.approx(0.8, abs=0.03)
    assert found.numbers["rival_end"] == pytest.approx(0.7, abs=0.03)


def test_with_one_run_per_setting_rank_reversals_are_not_checked(made: Any) -> None:
    reasons = dict(swept(made, "optimizer.lr", {1: 0.7, 2: 0.8, 3: 0.9}, seeds=1).unchecked)
    assert reasons["ranking not settled"].startswith("only one run per setting")


def test_the_stability_limit_is_found_for_each_norm(made: Any) -> None:
    runs = [
        ({"model.norm": norm, "optimizer.lr": rate}, made.never_learned() if lost else made.clean(0.8))
        for norm, limit in (("none", 0.1), ("batch", 9.0))
        for rate in (0.001, 0.01, 0.1)
        for lost in [rate >= limit]
        for _ in range(2)
    ]
    found = of_sweep(diagnose(made.study(runs)))["stability frontier"]
    assert found.numbers == {"limits": 1, "lowest_lost": 0.1, "highest_steady": 0.01}
    assert found.sentence == (
        "The learning rate's stability limit lies between 0.01 and 0.1 for norm none, where training failed "
        "in 2 of 2 runs (2 never learned). No failures with norm batch up to lr 0.1."
    )


def test_a_rate_too_low_to_learn_in_time_is_not_a_limit(made: Any) -> None:
    runs = [
        ({"optimizer.lr": rate}, made.never_learned() if rate < 0.01 else made.clean(0.8))
        for rate in (0.001, 0.01, 0.1)
    ]
    assert "stability frontier" not in of_sweep(diagnose(made.study(runs)))


def test_main_effects_are_shares_of_the_variance() -> None:
    rows, columns = np.array([0.0, 3.0]), np.array([0.0, 1.0, 2.0])
    additive = rows[:, None] + columns[None, :]
    whole = rows.var() + columns.var()
    assert main_effects(additive) == pytest.approx([rows.var() / whole, columns.var() / whole], abs=1e-12)
    crossed = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert main_effects(crossed) == [0, 0]  # only interaction


def test_importance_needs_a_crossed_grid_and_differences_beyond_seeds(made: Any) -> None:
    def grid(points: list[tuple[float, int]], spread: float) -> Diagnosis:
        runs = [({"optimizer.lr": r, "batch_size": b}, made.clean(0.8)) for r, b in points for _ in range(3)]
        analysis = made.study(runs)
        analysis.data.runs["val_accuracy_last"] = [
            0.5 + spread * r + 0.01 * seed for r, _ in points for seed in range(3)
        ]
        return diagnose(analysis)

    full = [(r, b) for r in (1.0, 2.0, 3.0) for b in (16, 32)]
    found = of_sweep(grid(full, 0.1))["importance"]
    assert found.numbers == pytest.approx({"optimizer.lr": 1, "batch_size": 0, "interactions": 0}, abs=1e-12)
    assert "lr matters most: by itself it explains 100% of the variance" in found.sentence
    assert "(batch_size 0%, interactions 0%)" in found.sentence
    assert "differ no more than seeds do" in dict(grid(full, 0.0).unchecked)["importance"]
    assert "not complete: it has 5 of 6" in dict(grid(full[:-1], 0.1).unchecked)["importance"]


def test_without_completed_runs_the_sweep_is_not_checked(made: Any) -> None:
    runs = [({"optimizer.lr": rate}, made.diverged()) for rate in (1, 2, 3)]
    reasons = diagnose(made.study(runs)).unchecked
    assert ("edge of the grid", "no run completed") in reasons
    assert ("ranking not settled", "fewer than two settings completed") in reasons
