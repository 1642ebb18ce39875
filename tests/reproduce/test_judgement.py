"""Judgements of figures, bounds and orders: reproduced, not reproduced, or underpowered."""

import numpy as np
import pytest
from scipy import stats

from dlx.reproduce.claim import Figure, Order
from dlx.reproduce.judgement import judge_figure, judge_order
from dlx.stats.power import pairs_to_decide

FIVE = [0.80, 0.81, 0.79, 0.805, 0.795]  # interval 0.7760 to 0.8240
WIDE = [0.70, 0.90, 0.75, 0.85, 0.80]


def figure(**keys):
    return Figure(metric="val_accuracy", **keys)


def word(values, **keys):
    return judge_figure(figure(**keys), values, 0.0).word


def test_a_value_inside_a_narrow_interval_is_reproduced_and_outside_is_not():
    assert word(FIVE, value=0.776) == "REPRODUCED"
    assert word(FIVE, value=0.775) == "NOT REPRODUCED"
    assert word(FIVE, value=0.825) == "NOT REPRODUCED"


def test_a_value_inside_a_wide_interval_is_underpowered_with_the_seeds_that_would_settle_it():
    judgement = judge_figure(figure(value=0.8, width=0.045), FIVE, 0.0)
    assert judgement.word == "UNDERPOWERED"
    assert judgement.note == "6 seeds would make the interval narrower than 0.045"
    assert word(FIVE, value=0.8, width=0.05) == "REPRODUCED"


def test_two_runs_have_an_interval_and_one_has_none():
    two = judge_figure(figure(value=0.8), [0.79, 0.81], 0.0)
    half = stats.t.ppf(0.975, 1) * 0.01 * np.sqrt(2) * np.sqrt(1.5)
    assert (two.interval.low, two.interval.high) == pytest.approx((0.8 - half, 0.8 + half))
    one = judge_figure(figure(value=0.8), [0.79], 0.0)
    assert (one.word, one.interval, one.mean) == ("UNDERPOWERED", None, 0.79)


def test_the_note_says_if_no_number_of_seeds_would_settle_it():
    judgement = judge_figure(figure(value=0.8), WIDE, 0.0)
    assert judgement.word == "UNDERPOWERED"
    assert judgement.note.startswith("no number of seeds settles it")
    assert word(WIDE, value=0.2) == "NOT REPRODUCED"  # however wide
    limit = 2 * 1.959963984540054 * judge_figure(figure(value=0.8), WIDE, 0.0).interval.std
    barely = judge_figure(figure(value=0.8, width=limit * 1.00001), WIDE, 0.0)
    assert barely.note == "more than 10,000 seeds would be needed"


def test_the_useful_width_is_a_tenth_for_accuracies_and_a_fifth_of_other_values():
    assert figure(value=0.5).useful_width == 0.1
    assert Figure(metric="val_loss", value=-2.0).useful_width == pytest.approx(0.4)
    assert Figure(metric="epoch", range=(10, 20)).useful_width == pytest.approx(4)


def test_rounding_counts_half_a_unit_of_the_published_digit():
    ones = [0.9997, 0.9997, 0.9997]
    assert judge_figure(figure(value=1.0), ones, 0.0).word == "NOT REPRODUCED"
    assert judge_figure(figure(value=1.0), ones, 0.0005).word == "REPRODUCED"


def test_a_range_is_a_value_known_only_to_lie_in_it():
    assert word(FIVE, range=(0.82, 0.9)) == "REPRODUCED"
    assert word(FIVE, range=(0.83, 0.9)) == "NOT REPRODUCED"
    assert word(FIVE, range=(0.7, 0.77)) == "NOT REPRODUCED"


def test_a_bound_is_reproduced_only_if_a_new_run_would_certainly_satisfy_it():
    assert word(FIVE, range=(0.77, None)) == "REPRODUCED"
    assert word(FIVE, range=(0.83, None)) == "NOT REPRODUCED"
    assert word(FIVE, range=(None, 0.83)) == "REPRODUCED"
    assert word(FIVE, range=(None, 0.77)) == "NOT REPRODUCED"
    sides = judge_figure(figure(range=(0.79, None)), FIVE, 0.0)
    assert sides.word == "UNDERPOWERED"
    assert "both sides of the bound" in sides.note
    close = judge_figure(figure(range=(0.783, None)), FIVE, 0.0)
    assert close.word == "UNDERPOWERED"
    assert close.note.endswith("on one side of the bound")


def test_every_run_must_match_a_deterministic_figure():
    exact = {"value": 1.25, "tolerance": 1e-12}
    assert word([1.25], **exact) == "REPRODUCED"
    assert word([1.25, 1.25 + 2e-12], **exact) == "NOT REPRODUCED"
    assert word([-2.1], range=(None, -2.0), tolerance=0) == "REPRODUCED"
    assert word([-1.9], range=(None, -2.0), tolerance=0) == "NOT REPRODUCED"
    assert word([], **exact) == "UNDERPOWERED"


@pytest.mark.parametrize("values", [[], [0.8]])
def test_fewer_than_two_runs_decide_nothing(values):
    judgement = judge_figure(figure(value=0.8), values, 0.0)
    assert judgement.word == "UNDERPOWERED"
    assert judgement.interval is None


def by_seed(values):
    return dict(enumerate(values))


def order(first, second, **keys):
    keys = keys or {"better": {"a": 1}, "worse": {"a": 2}}
    return judge_order(Order(**{"metric": "val_accuracy", **keys}), by_seed(first), by_seed(second))


LOW = [value - 0.1 - seed / 100 for seed, value in enumerate(FIVE)]


def test_an_order_is_reproduced_refuted_or_open():
    found = order(FIVE, LOW)
    assert found.word == "REPRODUCED"
    assert found.p == pytest.approx(stats.ttest_rel(FIVE, LOW).pvalue, rel=1e-10)
    assert found.mean == pytest.approx(0.12)
    assert order(LOW, FIVE).word == "NOT REPRODUCED"
    assert order(LOW, FIVE).note.startswith("the opposite has p 7")
    assert order(FIVE, [0.81, 0.80, 0.80, 0.79, 0.80]).word == "UNDERPOWERED"


def test_a_lower_loss_is_better():
    losses = {"better": {"a": 1}, "worse": {"a": 2}, "metric": "val_loss"}
    assert order(LOW, FIVE, **losses).word == "REPRODUCED"
    assert order(LOW, FIVE, **losses).mean == pytest.approx(-0.12)


def test_three_pairs_can_decide_and_two_cannot():
    assert order(FIVE[:3], LOW[:3]).word == "REPRODUCED"
    judgement = order(FIVE[:2], LOW[:2])
    assert judgement.word == "UNDERPOWERED"
    assert judgement.note == "a test needs at least 3 pairs of runs"


def test_the_note_says_how_many_seeds_would_probably_decide():
    near = [value - 0.01 * (1 + (-1) ** seed) for seed, value in enumerate(FIVE)]
    judgement = order(FIVE, near)
    assert judgement.word == "UNDERPOWERED"
    needed = pairs_to_decide(0.012, np.std([0.02, 0, 0.02, 0, 0.02], ddof=1), 5, 0.05)
    assert judgement.note == f"{needed} seeds would probably decide it"
    assert order(FIVE, [0.81, 0.80, 0.80, 0.79, 0.80]).note == "even 100 seeds would probably not decide it"


def test_runs_are_paired_by_seed_and_incomplete_pairs_do_not_count():
    full = Order(metric="val_accuracy", better={"a": 1}, worse={"a": 2})
    assert judge_order(full, {0: 1.0, 2: 1.0}, {1: 0.5, 2: 0.5, 3: 0.1}).mean == 0.5
    assert judge_order(full, {0: 1.0}, {1: 0.5}).word == "UNDERPOWERED"


def test_equality_needs_a_test_of_its_own_not_just_no_significant_difference():
    alike = {"equal": ({"a": 1}, {"a": 2})}
    near = [value + 0.001 * sign for value, sign in zip(FIVE, (1, -1, 1, 1, -1), strict=True)]
    assert order(FIVE, near, **alike, margin=0.01).word == "REPRODUCED"
    assert order(FIVE, near, **alike, margin=0.0005).word == "UNDERPOWERED"
    assert order(FIVE, LOW, **alike, margin=0.01).word == "NOT REPRODUCED"
