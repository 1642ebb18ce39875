"""Comparisons: verdicts by value, and simulated studies whose truth is known, from frames in memory."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dlx.report.comparison import compare
from dlx.report.comparison_text import method, sentence, verdict_cell
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.summary import Summary
from dlx.stats.tests import holm, paired_tests, tost_p


def planted(values_CS, lost=(), metric="val_accuracy", collapsed=()):
    """A study of C settings and S seeds with these scores. NaN: no run; those in `lost` diverged."""
    values_CS = np.array(values_CS, dtype=float)
    there = [
        (c, s) for c, s in np.ndindex(values_CS.shape) if (c, s) in lost or not math.isnan(values_CS[c, s])
    ]
    names = [f"{setting}-{seed}" for setting, seed in there]
    of_run = {name: setting for name, (setting, _) in zip(names, there, strict=True)}
    settings = {
        name: {"seed": seed, "lr": setting} for name, (setting, seed) in zip(names, there, strict=True)
    }
    status = ["diverged" if each in lost else "completed" for each in there]
    scores = [values_CS[each] for each in there]
    frame = pd.DataFrame({"status": status, f"{metric}_last": scores}, index=pd.Index(names, name="run"))
    for each in lost:
        values_CS[each] = np.nan
    means = [np.nanmean(row) if np.isfinite(row).any() else np.nan for row in values_CS]
    labels = [f"lr {setting}" for setting in range(len(values_CS))]
    design = Design(
        ["lr"], {"lr": "lr"}, [{"lr": n} for n in range(len(labels))], labels, of_run, {}, {}, ["seed"]
    )
    table = pd.DataFrame({"setting": range(len(labels)), "label": labels, f"{metric}_last_mean": means})
    table["collapsed"] = [int(label in collapsed) for label in labels]
    higher = metric.endswith("accuracy")
    table = table.sort_values(f"{metric}_last_mean", ascending=not higher, kind="stable")
    return StudyData(frame, settings, pd.DataFrame(), {}), design, Summary(table, metric, higher, metric)


FIVE = np.array([0.80, 0.82, 0.81, 0.83, 0.80])
EIGHT = np.array([0.80, 0.82, 0.81, 0.83, 0.80, 0.79, 0.82, 0.81])
OTHER = EIGHT - [0.03, 0.02, 0.05, 0.04, 0.03, 0.01, 0.04, 0.02]


def said(found, which=0):
    pair = found.against_best[which]
    labels = [f"lr {setting}" for setting in range(9)]
    return sentence(pair, labels, found)


def test_the_numbers_are_those_of_the_differences_by_seed():
    found = compare(*planted([OTHER, EIGHT]))
    (compared,) = found.against_best
    differences = OTHER - EIGHT
    assert (compared.setting, compared.reference, compared.pairs) == (0, 1, 8)
    assert compared.difference == pytest.approx(differences.mean(), rel=1e-12)
    expected = stats.t.interval(0.95, 7, differences.mean(), stats.sem(differences))
    assert (compared.low, compared.high) == pytest.approx(expected, rel=1e-10)
    assert compared.p == compared.p_holm
    assert compared.p == pytest.approx(stats.ttest_rel(OTHER, EIGHT).pvalue, rel=1e-10)
    assert compared.verdict == verdict_cell(compared) == "worse"
    assert said(found) == (
        "lr 0 is worse than lr 1: 3.0 points lower over 8 seeds "
        "(95% interval -4.1 to -1.9 points; p < 0.001)."
    )
    assert method(found) == (
        "Paired t tests over 8 seeds. They assume that differences vary roughly normally over seeds."
    )
    assert math.isnan(found.margin)


def test_the_family_of_the_best_is_every_pair():
    values = np.array([0.90, 0.80, 0.70, 0.60])[:, None] + np.random.default_rng(0).normal(0, 0.01, (4, 8))
    found = compare(*planted(values), baselines={0: 3, 1: 3, 2: 3})
    first, second = np.triu_indices(4, 1)
    tests = paired_tests(values[first] - values[second], 4)
    adjusted = holm(tests.p_M)
    assert [each.setting for each in found.against_best] == [1, 2, 3]
    assert [each.p for each in found.against_best] == pytest.approx(tests.p_M[:3], rel=1e-10)
    assert [each.p_holm for each in found.against_best] == pytest.approx(adjusted[:3], rel=1e-10)
    assert {each.tests for each in found.against_best} == {6}
    assert [each.p_holm for each in found.against_baseline] == pytest.approx(adjusted[[2, 4, 5]], rel=1e-10)
    assert [each.verdict for each in found.against_baseline] == ["better"] * 3


def test_only_a_declared_baseline_has_a_family_of_its_own():
    values = 0.8 + np.random.default_rng(0).normal(0, 0.01, (4, 8))
    of_all, own = (
        compare(*planted(values), baselines={0: 3, 1: 3, 2: 3}, declared=declared).against_baseline
        for declared in (False, True)
    )
    assert [each.p for each in of_all] == [each.p for each in own]
    assert {each.tests for each in own} == {3}
    assert all(one.p_holm >= other.p_holm for one, other in zip(of_all, own, strict=True))
    p = np.array([each.p for each in own])
    assert [each.p_holm for each in own] == pytest.approx(holm(p), rel=1e-12)


def test_each_setting_can_have_a_baseline_of_its_own():
    found = compare(*planted([EIGHT, OTHER, EIGHT + 0.05, OTHER + 0.05]), baselines={0: 1, 2: 3})
    assert [(each.setting, each.reference) for each in found.against_baseline] == [(2, 3), (0, 1)]
    assert [each.verdict for each in found.against_baseline] == ["better", "better"]


def test_lower_losses_are_better():
    values = np.stack([EIGHT, EIGHT + 0.2 + np.arange(8) / 100])
    found = compare(*planted(values, metric="val_loss"))
    assert [(each.setting, each.verdict) for each in found.against_best] == [(1, "worse")]
    assert found.against_best[0].difference > 0


def test_nothing_is_equivalent_unless_a_margin_was_declared():
    near = np.stack([EIGHT, EIGHT + 0.002 + np.arange(8) / 1e4])
    assert compare(*planted(near)).against_best[0].verdict == "worse"
    found = compare(*planted(near), margin=0.01)
    (compared,) = found.against_best
    assert compared.p_holm < 0.05
    assert compared.verdict == "equivalent"
    assert said(found).startswith("lr 0 is equivalent to lr 1 (within ±1.0 point, p < 0.001)")
    assert said(found).endswith("The small difference is real.")


def test_settings_with_a_collapsed_run_are_never_equivalent():
    near = np.stack([EIGHT, EIGHT + 0.002 + np.arange(8) / 1e4])
    (compared,) = compare(*planted(near, collapsed=["lr 0"]), margin=0.01).against_best
    assert math.isnan(compared.p_equivalent)
    assert compared.verdict == "worse"


def test_equal_scores_in_every_seed_are_equal():
    found = compare(*planted([EIGHT, EIGHT, EIGHT - 0.1]))
    assert [each.verdict for each in found.against_best] == ["equal", "worse"]
    assert said(found) == "lr 1 and lr 0 have the same score in each seed, over 8 seeds."


@pytest.mark.parametrize("seeds", [1, 2])
def test_below_three_seeds_nothing_is_tested(seeds):
    found = compare(*planted([[0.9, 0.91][:seeds], [0.8, 0.82][:seeds]]))
    (compared,) = found.against_best
    assert all(math.isnan(each) for each in (compared.low, compared.p, compared.p_holm))
    assert (compared.verdict, verdict_cell(compared)) == ("undecided", "\N{EN DASH}")
    assert said(found).endswith(f"over {seeds} seed{'s' * (seeds > 1)}. A test needs at least 3 seeds.")
    assert method(found) == ""


def test_a_seed_with_a_diverged_run_is_counted_but_not_paired():
    found = compare(*planted([FIVE, FIVE - 0.1], lost={(1, 2), (1, 4)}))
    (compared,) = found.against_best
    assert compared.pairs == 3
    assert "over 3 seeds (2 more not completed by both)" in said(found)


def test_a_setting_whose_runs_all_diverged_is_not_compared():
    found = compare(*planted([FIVE, FIVE], lost={(1, seed) for seed in range(5)}))
    (compared,) = found.against_best
    assert (compared.pairs, compared.verdict) == (0, "undecided")
    assert said(found) == "lr 1 and lr 0 are not compared: no seed was completed by both."


def test_settings_without_a_shared_seed_are_not_compared():
    values = np.full((2, 6), np.nan)
    values[0, :3], values[1, 3:] = 0.9, 0.7
    found = compare(*planted(values))
    assert math.isnan(found.against_best[0].p)
    assert said(found) == "lr 1 and lr 0 are not compared: they share no seed."


def test_no_verdict_while_a_key_is_averaged_over():
    data, design, summary = planted(np.stack([EIGHT, EIGHT - 0.5]))
    grouped = Design(**{**vars(design), "seeds": ["seed", "batch_size"]})
    found = compare(data, grouped, summary)
    assert (found.against_best, found.averaged) == ([], ["batch_size"])


def test_nothing_to_compare_gives_no_comparison():
    assert compare(*planted([FIVE])).against_best == []
    assert compare(*planted([FIVE, FIVE], lost=set(np.ndindex(2, 5)))).against_best == []


def test_a_stricter_level_decides_less_and_has_wider_intervals():
    usual, strict = (compare(*planted([OTHER, EIGHT]), level=level) for level in (0.05, 1e-4))
    assert (usual.against_best[0].verdict, strict.against_best[0].verdict) == ("worse", "undecided")
    assert strict.against_best[0].low < usual.against_best[0].low
    assert "Only p below 0.0001 counts" in method(strict)
    assert "99.99% interval" in said(strict)


@pytest.mark.parametrize("margin", [None, 0.01])
def test_a_p_value_that_equals_the_level_counts(margin):
    near = np.stack([EIGHT, EIGHT + 0.006 + np.arange(8) / 1e3])
    (pair,) = compare(*planted(near), margin=margin).against_best
    p = pair.p_holm if margin is None else pair.p_equivalent
    (again,) = compare(*planted(near), margin=margin, level=p).against_best
    (less,) = compare(*planted(near), margin=margin, level=p * (1 - 1e-9)).against_best
    assert again.verdict == ("worse" if margin is None else "equivalent")
    assert less.verdict != again.verdict


def test_intervals_of_differences_hold_together():
    """The intervals of all settings with the best are right at once in 95% of studies."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        values = 0.8 + rng.normal(0, 0.02, (8, 5))
        held += all(each.low <= 0 <= each.high for each in compare(*planted(values)).against_best)
    assert held / 400 > 0.95 - 2 * math.sqrt(0.05 * 0.95 / 400)


# Simulated studies: seeds are better or worse for all settings alike, settings differ by what is planted.


def studies(better_C, seeds, std, number, margin=None):
    rng = np.random.default_rng([len(better_C), seeds])
    for _ in range(number):
        noise = rng.normal(0, std / math.sqrt(2), (len(better_C), seeds)) + rng.normal(0, 0.02, seeds)
        yield compare(*planted(0.8 + np.asarray(better_C)[:, None] + noise), margin=margin)


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "seeds"), [(2, 6), (4, 3), (8, 5)])
def test_among_equal_settings_a_difference_is_found_in_at_most_a_twentieth_of_studies(settings, seeds):
    found = studies([0.0] * settings, seeds, 0.05, number=1000)
    wrong = np.mean([any(each.verdict == "worse" for each in study.against_best) for study in found])
    assert 0 < wrong <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [4, 10])
def test_crossed_seeds_and_splits_do_not_count_as_independent(seeds):
    """Settings are equal on average over splits, and each split favours one of them."""
    rng = np.random.default_rng(seeds)
    wrong, number, splits = 0, 200, 4
    for _ in range(number):
        favours = np.repeat(rng.normal(0, 0.02, (2, splits)), seeds, axis=1)
        values = 0.8 + favours + rng.normal(0, 0.02, (2, splits * seeds))
        data, design, summary = planted(values)
        for settings in data.settings.values():
            settings["data.split_seed"], settings["seed"] = divmod(settings["seed"], seeds)
        crossed = Design(**{**vars(design), "seeds": ["seed", "data.split_seed"]})
        found = compare(data, crossed, summary)
        assert (found.unit, found.most_pairs) == ("split", splits)
        wrong += found.against_best[0].verdict == "worse"
    assert wrong / number <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / number)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("seeds.init", "seeds.order"), ("data.split_seed", "seed")])
@pytest.mark.parametrize("favouring", [0, 1])
def test_either_key_of_a_crossed_design_may_favour_a_setting(first, second, favouring):
    """Settings are equal on average. With the other key as the unit, up to 60% of studies differ."""
    rng = np.random.default_rng(favouring)
    wrong, number = 0, 200
    for _ in range(number):
        favours = rng.normal(0, 0.01, (2, 3, 1) if favouring == 0 else (2, 1, 5))
        study = crossed(0.8 + favours + rng.normal(0, 0.003, (2, 3, 5)), first, second)
        wrong += compare(*study).against_best[0].verdict == "worse"
    assert wrong / number <= 0.08


def crossed(values_CAB, first, second):
    """A study whose scores are by setting, value of the `first` seed key and value of the `second`."""
    data, design, summary = planted(values_CAB.reshape(len(values_CAB), -1))
    for settings in data.settings.values():
        settings[first], settings[second] = divmod(settings.pop("seed"), values_CAB.shape[2])
    return data, Design(**{**vars(design), "seeds": [first, second]}), summary


def test_the_key_with_the_larger_p_counts_in_a_crossed_design():
    """By initialisation the mean differences are all near 0; by order they reach 6 points."""
    by_order_5 = np.array([0.06, -0.06, 0.03, -0.03, 0.001])
    noise_3 = np.array([0.001, -0.001, 0.0005])
    differences = by_order_5 + noise_3[:, None]
    values = np.stack([np.full((3, 5), 0.8), 0.8 - differences])
    (compared,) = compare(*crossed(values, "seeds.init", "seeds.order"), margin=0.02).against_best
    assert compared.p_equivalent == pytest.approx(tost_p(differences.mean(axis=0), 0.02))
    assert compared.p == pytest.approx(stats.ttest_1samp(differences.mean(axis=0), 0).pvalue)
    assert compared.p > stats.ttest_1samp(differences.mean(axis=1), 0).pvalue
    assert (compared.verdict, compared.pairs) == ("undecided", 3)
    assert tost_p(differences.mean(axis=1), 0.02) < 0.05


def test_tests_of_the_best_alone_would_be_wrong_twice_as_often():
    """Why the family is all pairs: the best of 8 was picked by the same scores."""
    rng = np.random.default_rng(0)
    wrong = 0
    for values_CS in rng.normal(0, 1, (1000, 8, 6)):
        best = values_CS.mean(axis=1).argmax()
        tests = paired_tests(np.delete(values_CS, best, axis=0) - values_CS[best], 8)
        wrong += np.nanmin(holm(tests.p_M)) <= 0.05
    assert wrong / 1000 > 0.1


@pytest.mark.slow
def test_a_difference_of_the_margin_is_called_equivalent_in_at_most_a_twentieth_of_studies():
    found = list(studies([0.0, -0.01], 8, 0.01, number=1000, margin=0.01))
    wrong = np.mean([study.against_best[0].verdict == "equivalent" for study in found])
    assert wrong == pytest.approx(0.05, abs=0.02)  # 0.05 is what TOST has at the margin itself
