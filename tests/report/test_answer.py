"""The headline: the best setting, how the others compare, how certain that is, held-out data."""

from typing import Any

import numpy as np
import pytest

from dlx.run.evaluations import Evaluation, append_evaluation
from dlx.run.predictions import write_predictions


def said(study: Any, baseline: str = "") -> list[str]:
    text: str = study.analysis(baseline=baseline).headline
    return text.splitlines()


def grid(study: Any, finals: dict[float, list[float]]) -> None:
    for lr, values in finals.items():
        for seed, final in enumerate(values):
            study.run(f"{lr}-{seed}", study.curve(final), {"optimizer.lr": lr}, seed=seed)


HIGH = [0.90, 0.92, 0.91, 0.93, 0.90, 0.89]


def test_the_headline_says_that_the_best_setting_is_better(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: [value - 0.1 - seed / 100 for seed, value in enumerate(HIGH)]})
    best, others, bias = said(study)
    assert best == (
        "Highest mean validation accuracy at the last epoch: 0.9083 with lr 0.1 "
        "(6 runs, 95% interval 0.8929 to 0.9238)."
    )
    assert others == (
        "It is better than the other setting (p at most 0.031). lr 0.01 is worse than lr 0.1: 0.1250 lower "
        "over 6 shared seeds (95% interval -0.1446 to -0.1054; p = 0.031)."
    )
    assert bias.startswith(
        "Because it was picked as the best of 2, its score is probably about 0.0000 too high."
    )


def test_two_seeds_do_not_settle_the_ranking(study: Any) -> None:
    grid(study, {0.1: [0.90, 0.92], 0.01: [0.80, 0.81]})
    text = said(study)
    assert text[1].startswith("The ranking is not settled: the other setting is not shown to be worse.")
    assert "p = 0.5). If the estimate is right, 4 more seeds would show a difference with" in text[1]
    assert text[2] == (
        "2 seeds cannot show any difference: the smallest possible p is 2/2^2 = 0.5. "
        "To show a difference between two settings, at least 6 seeds are needed."
    )


def test_settings_that_only_a_t_test_finds_worse_are_named(study: Any) -> None:
    rng = np.random.default_rng(0)
    finals = {
        lr: list(level + rng.normal(0, 0.004, 4)) for lr, level in ((0.1, 0.9), (0.2, 0.896), (0.3, 0.3))
    }
    grid(study, finals)
    others = said(study)[1]
    assert "none of the other 2 settings is shown to be worse. It is equivalent to 1 of them." in others
    assert others.endswith(
        "A t test with the same correction, which assumes normal differences, finds 1 of the undecided "
        "settings worse: lr 0.3. Deciding the undecided setting would take 3 more seeds."
    )


def test_equivalent_settings_are_chosen_by_cost(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: [value - 0.001 * (seed % 2) for seed, value in enumerate(HIGH)]})
    assert said(study)[1].startswith("It is equivalent to the other setting, so choose by cost.")


def test_mixed_verdicts_are_counted(study: Any) -> None:
    ten = [0.9 + value / 1000 for value in (3, -4, 8, 1, -6, 2, 5, -1, 0, -7)]
    wobble = np.array([1, -1, 1, -1, 1, -1, 1, -1, 1, -1]) / 20
    worse, alike = (
        [value - 0.2 - seed / 99 for seed, value in enumerate(ten)],
        [value - 1e-4 for value in ten],
    )
    grid(study, {0.1: ten, 0.2: alike, 0.3: list(ten + wobble - 0.03), 0.4: worse})
    assert said(study)[1].startswith(
        "Of the other 3 settings, 1 is worse, 1 is equivalent and 1 is undecided."
    )


def test_the_baseline_has_a_paragraph_that_names_better_settings(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: [value - 0.1 - seed / 100 for seed, value in enumerate(HIGH)]})
    assert said(study, baseline="lr 0.01")[2].startswith(
        "Against the baseline (lr 0.01): 1 better. lr 0.1 is better than lr 0.01: 0.1250 higher"
    )
    assert said(study, baseline="lr 0.1")[2] == "Against the baseline (lr 0.1): 1 worse."


def test_single_runs_are_not_tested(study: Any) -> None:
    study.run("a", study.curve(0.9), {"optimizer.lr": 0.1})
    study.run("b", study.curve(0.8), {"optimizer.lr": 0.01})
    study.run("c", study.curve(0.8), {"optimizer.lr": 9.0}, status="diverged")
    text = said(study)
    assert text[1] == (
        "The next best is lr 0.01, with a difference of 0.1000. It cannot be tested, because the two share "
        "fewer than two seeds."
    )
    assert text[-1] == "Of 3 runs, 1 diverged."


def test_a_single_run_is_not_compared(study: Any) -> None:
    study.run("a", study.curve(0.9))
    (text,) = said(study)
    assert text == (
        "Validation accuracy at the last epoch: 0.9000 (1 run). With a single run, the variation between "
        "seeds cannot be estimated."
    )


def test_losses_are_lowest_first(study: Any) -> None:
    for lr, loss in ((0.1, 3.0), (0.01, 2.0)):
        epochs = [(None, None, 9.0, None), (1.0, None, loss, None)]
        study.run(f"lr{lr}", epochs, {"optimizer.lr": lr, "monitor": "val_loss"})
    assert said(study)[0] == "Lowest mean validation loss at the last epoch: 2.0000 with lr 0.01 (1 run)."


def test_without_a_completed_run_there_is_nothing_to_compare(study: Any) -> None:
    study.run("a", study.curve(0.9), status="diverged")
    assert said(study) == ["No run completed, so there is nothing to compare. Of 1 run, 1 diverged."]


def predicted(study: Any, right: float, lr: float, seed: int) -> Any:
    """A run whose stored predictions are right for a share of 200 samples."""
    folder = study.run(f"{lr}-{seed}", study.curve(right), {"optimizer.lr": lr}, seed=seed)
    labels = np.arange(200) % 2
    hits = np.random.default_rng([seed, int(lr * 100)]).random(200) < right
    outputs = np.eye(2)[np.where(hits, labels, 1 - labels)]
    write_predictions(folder, last=outputs, best=outputs, labels=labels, last_epoch=1, best_epoch=1)
    return folder


def test_variance_is_split_if_predictions_are_stored(study: Any) -> None:
    for seed in range(4):
        predicted(study, 0.9, 0.1, seed)
        predicted(study, 0.8, 0.2, seed)
    (line,) = [line for line in said(study) if line.startswith("The best setting's score varies")]
    assert "between sets of 200 validation samples (0.0" in line
    assert "Between sets of samples its lead varies with a standard deviation of 0.0" in line
    assert "by picking on random halves of the seeds and validation samples and scoring on the others" in line


@pytest.mark.parametrize("times", [1, 3])
def test_held_out_scores_are_shown_with_how_often_the_split_was_used(study: Any, times: int) -> None:
    folder = predicted(study, 0.9, 0.1, 0)
    for day in range(times):
        time = f"2026-11-2{day}T00:00:00+00:00"
        append_evaluation(folder, Evaluation(time, "test", 263, 2, 0.5, 81 / 263, "0" * 64, 8))
    append_evaluation(folder, Evaluation("2026-11-29T00:00:00+00:00", "val", 100, 2, 0.5, 0.9, "0" * 64, 1))
    line = said(study)[-1]
    assert "test accuracy 0.3080 (95% interval 0.2553 to 0.3662, 263 test samples)" in line
    assert "the best of 8 runs by validation" in line
    assert ("was evaluated once" if times == 1 else "was evaluated 3 times. It no longer tests") in line


def test_an_evaluation_of_another_setting_is_marked_and_damage_is_reported(study: Any) -> None:
    predicted(study, 0.9, 0.1, 0)
    other = predicted(study, 0.7, 0.2, 0)
    append_evaluation(other, Evaluation("2026-11-20T00:00:00+00:00", "test", 10, 2, 0.5, None, "0" * 64, 1))
    line = said(study)[-1]
    assert "test loss 0.5000 (10 test samples) with lr 0.2, which is not the best setting here" in line
    (other / "evaluations.csv").write_text("torn")
    assert "Recorded evaluations cannot be read" in said(study)[-1]
