"""The answer: the best setting, which others may be as good, what to do next, and what stands behind it."""

from typing import Any

import numpy as np
import pytest

from dlx.report.answer import Answer
from dlx.run.evaluations import Evaluation, append_evaluation
from dlx.run.predictions import write_predictions
from dlx.stats.power import detectable_difference, pairs_to_decide


def answered(study: Any, **options: Any) -> Answer:
    answer: Answer = study.analysis(**options).answer
    return answer


def details(study: Any, **options: Any) -> list[str]:
    return answered(study, **options).details


def grid(study: Any, finals: dict[float, list[float]]) -> None:
    for lr, values in finals.items():
        for seed, final in enumerate(values):
            study.run(f"{lr}-{seed}", study.curve(final), {"optimizer.lr": lr}, seed=seed)


HIGH = [0.90, 0.92, 0.91, 0.93, 0.90, 0.89]
LOW = [value - 0.1 - seed / 100 for seed, value in enumerate(HIGH)]
NEAR = [value - 0.001 + 0.01 * (-1) ** seed for seed, value in enumerate(HIGH)]


def test_a_setting_that_is_better_than_all_others_is_best(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: LOW, 0.001: [value - 0.1 for value in LOW]})
    answer = answered(study)
    assert answer.sentence == (
        "lr 0.1 is best: validation accuracy 0.9083 on average over 6 runs, better than each of the other 2 "
        "settings."
    )
    assert list(answer.groups.values()) == ["best", "worse", "worse"]
    assert answer.next_step == ""


def test_few_settings_that_may_be_best_are_named(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.2: NEAR, 0.01: LOW})
    answer = answered(study)
    assert answer.sentence == (
        "2 of 3 settings may be the best: lr 0.1 (0.9083); lr 0.2 (0.9073). The other one is worse."
    )
    assert list(answer.groups.values()) == ["best", "undecided", "worse"]


def test_the_next_step_says_how_many_seeds_would_find_the_gap(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.2: [value - 0.006 + 0.01 * (-1) ** seed for seed, value in enumerate(HIGH)]})
    pair = study.analysis().comparisons.against_best[0]
    sizes = {count: detectable_difference(pair.std, 5, count, 0.05) for count in range(7, 101)}
    enough = min(count for count, size in sizes.items() if size <= 0.006)
    assert answered(study).next_step == (
        f"Train about {enough} seeds in all to find a gap like the 0.60 points between lr 0.2 and the best."
    )


def test_the_next_step_does_not_promise_what_no_number_of_seeds_finds(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.2: NEAR})
    assert answered(study).next_step == (
        "Choose by something else, such as cost: lr 0.2 came within 0.10 points of the best. Finding a gap "
        "like that would take over 100 seeds in all."
    )


def test_the_next_step_says_how_many_seeds_would_probably_decide(study: Any) -> None:
    worse = [value - 0.01 + 0.012 * (-1) ** seed for seed, value in enumerate(HIGH)]
    grid(study, {0.1: HIGH, 0.2: worse})
    pair = study.analysis().comparisons.against_best[0]
    needed = pairs_to_decide(pair.difference, pair.std, 6, 0.05)
    assert answered(study).next_step == (
        f"Train more seeds, all at once: {needed} in all would probably tell lr 0.1 and lr 0.2 apart."
    )


def test_many_settings_that_may_be_best_are_counted(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.2: NEAR, 0.3: NEAR, 0.4: NEAR, 0.01: LOW})
    assert answered(study).sentence == (
        "lr 0.1 scored best (validation accuracy 0.9083 on average over 6 runs); 3 of the other 4 settings "
        "may be as good, and 1 is worse."
    )


def test_without_a_worse_setting_none_is_called_best(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.2: NEAR})
    assert answered(study).sentence == (
        "lr 0.1 scored highest (validation accuracy 0.9083 on average over 6 runs), but lr 0.2 may be as "
        "good."
    )


def test_clear_differences_of_three_seeds_are_said(study: Any) -> None:
    rng = np.random.default_rng(0)
    levels = {0.1: 0.81, 0.2: 0.80, 0.3: 0.79, 0.4: 0.78, 0.5: 0.75, 0.6: 0.7, 0.01: 0.23, 0.001: 0.11}
    grid(study, {lr: list(level + rng.normal(0, 0.01, 3)) for lr, level in levels.items()})
    groups = answered(study).groups
    assert list(groups.values())[-2:] == ["worse", "worse"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_may_be_chance(study: Any, seeds: int) -> None:
    grid(study, {0.1: HIGH[:seeds], 0.01: LOW[:seeds]})
    answer = answered(study)
    assert answer.sentence.endswith(
        f"but with {seeds} seed{'s' * (seeds > 1)} per setting this may be chance."
    )
    assert answer.next_step == ("Train all settings with the same seeds: 3 at least, 5 or more if you can.")
    assert list(answer.groups.values()) == ["best", "untested"]


def test_settings_with_equal_scores_are_tied(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: HIGH})
    answer = answered(study)
    assert answer.sentence == (
        "lr 0.01 and lr 0.1 are tied: validation accuracy 0.9083 on average over 6 runs."
    )
    assert list(answer.groups.values()) == ["best", "tied"]


def test_equivalence_needs_a_declared_margin(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: [value - 0.001 * (seed % 2) for seed, value in enumerate(HIGH)]})
    assert list(answered(study).groups.values()) == ["best", "undecided"]
    assert list(answered(study, margin=0.01).groups.values()) == ["best", "tied"]


def test_the_baseline_has_a_remark_and_better_settings_are_named(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: LOW})
    assert answered(study, baseline="lr 0.01").remarks == ["Against the baseline (lr 0.01): 1 better."]
    assert details(study, baseline="lr 0.01")[0].startswith(
        "lr 0.1 is better than lr 0.01: 12.5 points higher"
    )
    assert answered(study, baseline="lr 0.1").remarks == ["Against the baseline (lr 0.1): 1 worse."]


def test_runs_of_two_kinds_are_counted(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: [*LOW[:5], 0.1]})
    (remark,) = answered(study).remarks
    assert remark == (
        "1 of 6 runs of lr 0.01 collapsed, scoring far worse than the others. The mean describes neither "
        "kind. Find out why before you train more."
    )


def test_runs_that_did_not_complete_are_counted(study: Any) -> None:
    grid(study, {0.1: HIGH[:1], 0.01: HIGH[:1]})
    study.run("c", study.curve(0.8), {"optimizer.lr": 9.0}, status="diverged")
    answer = answered(study)
    assert answer.remarks == ["Of 3 runs, 1 diverged."]
    assert len(answer.groups) == 2


def test_a_single_setting_has_an_interval(study: Any) -> None:
    grid(study, {0.1: HIGH})
    assert answered(study).sentence == (
        "Validation accuracy is 0.9083 on average over 6 runs (95% interval 0.8929 to 0.9238)."
    )


def test_a_single_run_has_none(study: Any) -> None:
    study.run("a", study.curve(0.9))
    assert answered(study).sentence == "Validation accuracy is 0.9000."


def test_losses_are_lowest_first(study: Any) -> None:
    for lr, loss in ((0.1, 3.0), (0.01, 2.0)):
        epochs = [(None, None, 9.0, None), (1.0, None, loss, None)]
        study.run(f"lr{lr}", epochs, {"optimizer.lr": lr, "monitor": "val_loss"})
    assert answered(study).sentence.startswith("The best score is that of lr 0.01 (validation loss 2.0000)")


def test_without_a_completed_run_there_is_nothing_to_compare(study: Any) -> None:
    study.run("a", study.curve(0.9), status="diverged")
    assert answered(study).sentence == (
        "No run completed, so there is nothing to compare. Of 1 run, 1 diverged."
    )


def test_numbers_that_would_be_zero_are_not_said(study: Any) -> None:
    grid(study, {0.1: HIGH, 0.01: LOW})
    assert not any("Because it was picked" in line for line in details(study))


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
    (line,) = [line for line in details(study) if line.startswith("The best setting's score varies")]
    assert "between sets of 200 validation samples (2." in line
    assert "by picking on random halves of the seeds and validation samples and scoring on the others" in line


@pytest.mark.parametrize("times", [1, 3])
def test_held_out_scores_are_shown_with_how_often_the_split_was_used(study: Any, times: int) -> None:
    folder = predicted(study, 0.9, 0.1, 0)
    for day in range(times):
        time = f"2026-11-2{day}T00:00:00+00:00"
        append_evaluation(folder, Evaluation(time, "test", 263, 2, 0.5, 81 / 263, "0" * 64, 8))
    append_evaluation(folder, Evaluation("2026-11-29T00:00:00+00:00", "val", 100, 2, 0.5, 0.9, "0" * 64, 1))
    line = details(study)[-1]
    assert "test accuracy 0.3080 (95% interval 0.2553 to 0.3662, 263 test samples)" in line
    assert "the best of 8 runs by validation" in line
    assert ("was evaluated once" if times == 1 else "was evaluated 3 times. It no longer tests") in line


def test_an_evaluation_of_another_setting_is_marked_and_damage_is_reported(study: Any) -> None:
    predicted(study, 0.9, 0.1, 0)
    other = predicted(study, 0.7, 0.2, 0)
    append_evaluation(other, Evaluation("2026-11-20T00:00:00+00:00", "test", 10, 2, 0.5, None, "0" * 64, 1))
    line = details(study)[-1]
    assert "test loss 0.5000 (10 test samples) with lr 0.2, which is not the best setting here" in line
    (other / "evaluations.csv").write_text("other,columns\n")
    assert "Recorded evaluations cannot be read" in details(study)[-1]
