"""Folds in a report: they pair the settings, their shared training data counts, and the text says so."""

import numpy as np
import pytest
from scipy import stats

from dlx.importers.foreign_run import Columns
from dlx.report.analysis import Options, analyse
from dlx.report.comparison_text import sentence
from dlx.report.load import load_any
from dlx.run.folds import find_folding
from dlx.run.units import count_repeats, units

A = [0.90, 0.93, 0.87, 0.93, 0.90, 0.87]
B = [0.80, 0.85, 0.79, 0.80, 0.83, 0.79]


def write_folds(study, scores, name, folds=3, seeds=(0,)):
    """Write runs of one optimizer: a score for each fold of each repeat, a little higher for each seed."""
    for index, score in enumerate(scores):
        place = {"data.folds": folds, "data.repeat": index // folds + 1, "data.fold": index % folds + 1}
        for seed in seeds:
            slug = f"{name}-{index}-{seed}"
            changes = {"optimizer.name": name} | place
            study.run(slug, study.curve(score + seed / 100), changes, seed=seed)


@pytest.fixture
def analysis(study):
    write_folds(study, A, "adam")
    write_folds(study, B, "sgd")
    return study.analysis()


def test_settings_are_paired_by_fold_and_repeat_with_the_corrected_variance(analysis):
    (pair,) = analysis.comparisons.against_best
    differences = np.array(B) - np.array(A)
    t = differences.mean() / np.sqrt(differences.var(ddof=1) * (1 / 6 + 1 / 2))
    assert (pair.pairs, pair.difference) == (6, pytest.approx(differences.mean()))
    assert pair.p == pytest.approx(2 * stats.t.sf(abs(t), 5), rel=1e-8)
    assert pair.verdict == "worse"
    assert "over 6 folds" in sentence(pair, analysis.design.labels, analysis.comparisons)


def test_the_interval_of_a_settings_mean_allows_for_shared_training_data(analysis):
    row = analysis.summary.table.iloc[0]
    half = stats.t.isf(0.025, 5) * np.std(A, ddof=1) * np.sqrt(1 / 6 + 1 / 2)
    assert row["val_accuracy_last_high"] - row["val_accuracy_last_mean"] == pytest.approx(half)


def test_the_answer_and_the_method_say_over_which_folds(analysis):
    answer = analysis.answer
    assert answer.sentence.startswith(
        "adam is best: validation accuracy 0.9000 on average over 6 folds, 2 times"
    )
    assert answer.method.startswith("Paired t tests over 6 folds (2 times 3-fold cross-validation).")
    assert "s² (1/J + 0.5) instead of s²/J (Nadeau and Bengio, 2003)" in answer.method


def test_what_more_repeats_can_do_is_bounded(study):
    write_folds(study, A, "adam")
    write_folds(study, list(np.add(A, [-0.05, 0.03, 0, -0.02, 0.01, 0.02])), "sgd")
    answer = study.analysis().answer
    # 2.571 sqrt(1/6 + 1/2) now, 1.962 sqrt(1/2) at the very least
    assert answer.next_step.startswith(
        "More repeats of the folds (data.repeats) narrow the intervals by at most 34%"
    )


def test_several_seeds_of_a_fold_count_once(study):
    write_folds(study, A, "adam", seeds=(0, 1, 2))
    write_folds(study, B, "sgd", seeds=(0, 1, 2))
    several = study.analysis()
    (pair,) = several.comparisons.against_best
    differences = np.array(B) - np.array(A)
    t = differences.mean() / np.sqrt(differences.var(ddof=1) * (1 / 6 + 1 / 2))
    assert (pair.pairs, pair.p) == (6, pytest.approx(2 * stats.t.sf(abs(t), 5), rel=1e-8))
    assert "over 6 folds, 2 times 3-fold, 3 runs each" in several.answer.sentence


def test_a_single_setting_has_the_interval_and_its_method(study):
    write_folds(study, A, "adam")
    answer = study.analysis().answer
    assert "0.9000 on average over 6 folds, 2 times 3-fold (95% interval" in answer.sentence
    assert answer.method.startswith("Folds share training data")


def test_folds_of_different_numbers_are_not_paired():
    configs = [{"data.folds": folds, "data.fold": 1, "data.repeat": 1, "lr": 1} for folds in (3, 5)]
    of_run, name = units(configs)
    assert (name, len(set(of_run))) == ("fold", 2)
    assert count_repeats(configs).units == 0
    assert find_folding(configs).overlap == 1 / 2


def test_a_table_of_another_program_with_a_column_of_folds_is_cross_validation(tmp_path):
    rows = [
        f"{name},{repeat},{fold},{scores[3 * repeat + fold]}"
        for name, scores in (("svm", A), ("knn", B))
        for repeat in (0, 1)
        for fold in (0, 1, 2)
    ]
    (tmp_path / "runs.csv").write_text("\n".join(["model,repeat,fold,accuracy", *rows]) + "\n")
    found = analyse(load_any([tmp_path / "runs.csv"], Columns(seed=("repeat", "fold"))), Options())
    assert (found.comparisons.unit, str(found.comparisons.folding)) == ("fold", "2 times 3-fold")
    (pair,) = found.comparisons.against_best
    differences = np.array(B) - np.array(A)
    t = differences.mean() / np.sqrt(differences.var(ddof=1) * (1 / 6 + 1 / 2))
    assert pair.p == pytest.approx(2 * stats.t.sf(abs(t), 5), rel=1e-8)


def test_ordinary_runs_beside_folds_keep_the_ordinary_interval_test_and_words(study):
    write_folds(study, B, "adam")
    best, other = [0.95, 0.97, 0.96], [0.90, 0.93, 0.88]
    for name, scores in (("sgd", best), ("adagrad", other)):
        for seed, score in enumerate(scores):
            study.run(f"{name}-{seed}", study.curve(score), {"optimizer.name": name}, seed=seed)
    analysis = study.analysis()
    table = analysis.summary.table
    half = (table["val_accuracy_last_high"] - table["val_accuracy_last_mean"]).iloc[[0, 2]].to_numpy()
    assert half[0] == pytest.approx(stats.t.isf(0.025, 2) * np.std(best, ddof=1) / np.sqrt(3))
    assert half[1] == pytest.approx(stats.t.isf(0.025, 5) * np.std(B, ddof=1) * np.sqrt(1 / 6 + 1 / 2))
    pair = next(each for each in analysis.comparisons.against_best if each.tested)
    assert pair.p == pytest.approx(stats.ttest_rel(other, best).pvalue)
    assert (analysis.comparisons.unit, analysis.comparisons.folding) == ("seed", None)
    assert analysis.answer.method.startswith("Paired t tests over 3 seeds")
    assert "fold" not in analysis.answer.sentence + analysis.answer.method
