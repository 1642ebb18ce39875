"""Means, deviations and counts per setting against the statistics module, and the scores by seed."""

import math
import statistics
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dlx.errors import RequestError
from dlx.report.scores import Scores, scores_by_unit
from dlx.report.summary import Summary


def summary_of(study: Any) -> Summary:
    summary: Summary = study.analysis().summary
    return summary


def scores_of(study: Any, by: tuple[str, ...] = ()) -> Scores:
    analysis = study.analysis(by=by)
    return scores_by_unit(analysis.data, analysis.design, "val_accuracy_last")


def differences(scores: Scores, first: int, second: int) -> np.ndarray:
    return scores.differences(np.array([first]), np.array([second]))


def test_seeds_become_mean_standard_deviation_and_count(study: Any) -> None:
    finals = [0.91, 0.94, 0.95]
    for seed, final in enumerate(finals):
        study.run(f"s{seed}", study.curve(0.96, final), seed=seed, time_seconds=1.0 + seed)
    row = summary_of(study).table.iloc[0]
    assert row["val_accuracy_last_mean"] == pytest.approx(statistics.mean(finals), abs=1e-15)
    assert row["val_accuracy_last_std"] == pytest.approx(statistics.stdev(finals), abs=1e-15)
    assert row["val_accuracy_last_count"] == row["runs"] == row["completed"] == 3
    assert row["val_loss_last_mean"] == pytest.approx(statistics.mean(1.1 - final for final in finals))
    assert row["val_accuracy_best_mean"] == pytest.approx(0.96)
    assert (row["best_epoch_min"], row["best_epoch_max"]) == (1, 1)
    assert row["seconds_mean"] == pytest.approx(2.0)


def test_one_run_has_no_standard_deviation(study: Any) -> None:
    study.run("a", study.curve(0.9))
    row = summary_of(study).table.iloc[0]
    assert math.isnan(row["val_accuracy_last_std"])
    assert row["val_accuracy_last_count"] == 1


def test_settings_are_ranked_by_the_last_epoch_not_the_best(study: Any) -> None:
    study.run("peak", study.curve(0.99, 0.80), {"optimizer.lr": 0.1})
    study.run("steady", study.curve(0.85, 0.90), {"optimizer.lr": 0.01})
    summary = summary_of(study)
    assert summary.table["optimizer.lr"].tolist() == [0.01, 0.1]
    assert (summary.metric, summary.higher, summary.monitor) == ("val_accuracy", True, "val_accuracy")


def test_diverged_and_failed_runs_are_counted_and_not_averaged(study: Any) -> None:
    study.run("a0", study.curve(0.9), seed=0)
    study.run("a1", [*study.curve(0.8), (math.nan, 0.1, math.nan, 0.1)], seed=1, status="diverged")
    study.run("a2", study.curve(0.7), seed=2, status="failed")
    row = summary_of(study).table.iloc[0]
    assert [row[key] for key in ("runs", "completed", "diverged", "failed")] == [3, 1, 1, 1]
    assert (row["val_accuracy_last_mean"], row["val_accuracy_last_count"]) == (0.9, 1)


def test_a_setting_without_a_completed_run_comes_last(study: Any) -> None:
    study.run("a", study.curve(0.99), {"optimizer.lr": 10.0}, status="diverged")
    study.run("b", study.curve(0.10), {"optimizer.lr": 0.1})
    table = summary_of(study).table
    assert table["optimizer.lr"].tolist() == [0.1, 10.0]
    assert math.isnan(table["val_accuracy_last_mean"].iloc[1])
    assert table["val_accuracy_last_count"].iloc[1] == 0


def test_without_accuracies_the_lowest_validation_loss_is_first(study: Any) -> None:
    for lr, loss in ((0.1, 3.0), (0.01, 2.0)):
        epochs = [(None, None, 9.0, None), (1.0, None, loss, None)]
        study.run(f"lr{lr}", epochs, {"optimizer.lr": lr, "monitor": "val_loss"})
    summary = summary_of(study)
    assert (summary.metric, summary.higher) == ("val_loss", False)
    assert summary.table["optimizer.lr"].tolist() == [0.01, 0.1]


def test_the_interval_covers_the_completed_runs_of_a_setting(study: Any) -> None:
    finals = [0.91, 0.94, 0.95]
    for seed, final in enumerate(finals):
        study.run(f"s{seed}", study.curve(final), {"optimizer.lr": 0.1}, seed=seed)
        study.run(f"t{seed}", study.curve(final - 0.1 * seed), {"optimizer.lr": 0.2}, seed=seed)
    study.run("t3", study.curve(0.1), {"optimizer.lr": 0.2}, seed=3, status="diverged")
    table = summary_of(study).table
    for row, values in ((table.iloc[0], finals), (table.iloc[1], [0.91, 0.84, 0.75])):
        expected = stats.t.interval(0.95, 2, statistics.mean(values), stats.sem(values))
        ends = (row["val_accuracy_last_low"], row["val_accuracy_last_high"])
        assert ends == pytest.approx(expected, rel=1e-10)


def test_a_given_metric_ranks_the_settings_and_one_that_no_run_has_is_refused(study: Any) -> None:
    study.run("a", [(None, None, 9.0, None), (0.5, None, 2.0, None)], {"optimizer.lr": 0.1})
    study.run("b", [(None, None, 9.0, None), (0.7, None, 1.0, None)], {"optimizer.lr": 0.2})
    summary = study.analysis(metric="train_loss").summary
    assert (summary.metric, summary.higher) == ("train_loss", False)
    assert summary.table["optimizer.lr"].tolist() == [0.1, 0.2]
    with pytest.raises(RequestError, match="no completed run has a val_accuracy"):
        study.analysis(metric="val_accuracy")


def test_a_seed_is_a_combination_of_all_seed_keys(study: Any) -> None:
    for lr in (0.1, 0.2):
        for seed in (0, 1):
            for split in (5, 6):
                changes = {"optimizer.lr": lr, "data.split_seed": split}
                study.run(f"{lr}{seed}{split}", study.curve(lr + seed / 10 + split / 100), changes, seed=seed)
    found = scores_of(study)
    assert found.values_CS.shape == (2, 4)
    assert found.unit_name == "split"  # runs on one split share its luck
    np.testing.assert_allclose(differences(found, 1, 0), [[0.1] * 2])


def test_crossed_seed_keys_are_paired_by_the_one_with_fewest_values(study: Any) -> None:
    for init in range(3):
        for order in range(4):
            for lr in (0.1, 0.2):
                changes = {"optimizer.lr": lr, "seeds.init": init, "seeds.order": order}
                study.run(f"{lr}{init}{order}", study.curve(lr + lr * init + order / 100), changes)
    found = scores_of(study)
    assert (found.values_CS.shape, found.unit_name) == ((2, 12), "init")
    np.testing.assert_allclose(differences(found, 1, 0), [[0.1, 0.2, 0.3]])


def test_a_split_counts_once_however_many_seeds_were_trained_on_it(study: Any) -> None:
    for seed in range(6):
        changes = {"data.split_seed": seed % 3}
        study.run(f"{seed}", study.curve(0.8 + (seed % 3) / 100 + seed / 1000), changes, seed=seed)
    row = summary_of(study).table.iloc[0]
    splits = [0.8015, 0.8125, 0.8235]
    low, high = stats.t.interval(0.95, 2, statistics.mean(splits), stats.sem(splits))
    ends = (row["val_accuracy_last_low"], row["val_accuracy_last_high"])
    assert ends == pytest.approx((low, high), rel=1e-10)


def test_collapsed_runs_are_counted(study: Any) -> None:
    for seed, final in enumerate([0.95, 0.96, 0.1, 0.94]):
        study.run(f"a{seed}", study.curve(final), {"optimizer.lr": 0.1}, seed=seed)
        study.run(f"b{seed}", study.curve(0.9 + seed / 100), {"optimizer.lr": 0.2}, seed=seed)
    table = summary_of(study).table.set_index("label")
    assert table["collapsed"].to_dict() == {"lr 0.1": 1, "lr 0.2": 0}


def test_a_seed_is_lost_if_its_run_diverged_but_not_if_it_is_missing(study: Any) -> None:
    for seed in range(4):
        study.run(f"a{seed}", study.curve(0.5), {"optimizer.lr": 0.1}, seed=seed)
        status = "diverged" if seed == 2 else "failed" if seed == 1 else "completed"
        if seed:
            study.run(f"b{seed}", study.curve(0.6), {"optimizer.lr": 0.2}, seed=seed, status=status)
    found = scores_of(study)
    assert found.lost(1, 0) == found.lost(0, 1) == 2
    np.testing.assert_allclose(differences(found, 1, 0), [[np.nan, np.nan, np.nan, 0.1]])


def test_several_runs_of_one_seed_count_as_their_mean_if_all_completed(study: Any) -> None:
    for seed in range(2):
        for width in (4, 8):
            for lr in (0.1, 0.2):
                status = "diverged" if (seed, width, lr) == (1, 8, 0.2) else "completed"
                changes = {"optimizer.lr": lr, "model.width": width}
                study.run(
                    f"{seed}{width}{lr}", study.curve(lr + width / 100), changes, seed=seed, status=status
                )
    found = scores_of(study, by=("lr",))
    np.testing.assert_allclose(found.values_CS, [[0.16, 0.16], [0.26, np.nan]])
    assert found.lost_CS.tolist() == [[False, False], [False, True]]
