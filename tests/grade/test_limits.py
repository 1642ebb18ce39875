"""The limits of figures: closed forms, the sides, and how often right solutions fail."""

import math

import numpy as np
import pytest
from scipy.stats import t

from dlx.errors import RequestError
from dlx.grade.assignment import AskedFigure
from dlx.grade.limits import Limits, check_values
from dlx.stats.skewed import skewed_factor

LEVEL = 0.01


def limits(metric, values, samples=None, level=LEVEL, **more):
    return Limits(AskedFigure(metric=metric, **more), values, level, samples)


def test_the_better_side_of_a_loss_is_the_t_interval_of_its_logarithm():
    losses = [0.11, 0.13, 0.12, 0.10, 0.15]
    logs = np.log(losses)
    half = t.ppf(1 - LEVEL / 2, 4) * logs.std(ddof=1) * math.sqrt(1 + 1 / 5)
    found = limits("val_loss", losses)
    assert found.interval(1).low == pytest.approx(math.exp(logs.mean() - half))
    assert found.mean(losses) == pytest.approx(math.exp(logs.mean()))


def test_the_worse_side_of_a_loss_allows_for_a_long_tail():
    losses = [0.11, 0.13, 0.12, 0.10, 0.15]
    logs = np.log(losses)
    high = math.exp(logs.mean() + skewed_factor(5, LEVEL / 2) * logs.std(ddof=1))
    assert limits("val_loss", losses).interval(1).high == pytest.approx(high)


def test_the_better_side_of_an_accuracy_is_the_t_interval_of_its_arcsine_root():
    accuracies = [0.80, 0.84, 0.82, 0.86, 0.81]
    scaled = np.arcsin(np.sqrt(accuracies))
    half = t.ppf(1 - LEVEL / 2, 4) * scaled.std(ddof=1) * math.sqrt(1 / 3 + 1 / 5)
    found = limits("val_accuracy", accuracies, samples=1000)
    assert found.interval(3).high == pytest.approx(math.sin(scaled.mean() + half) ** 2)


def test_an_interval_of_accuracies_stays_between_0_and_1():
    low, high = limits("val_accuracy", [0.99, 1.0, 0.98, 1.0], samples=100).interval(1)
    assert 0 <= low < 0.98
    assert high == 1


def test_equal_accuracies_leave_room_for_single_samples():
    found = limits("val_accuracy", [0.9] * 5, samples=200)
    assert found.holds([0.9 - 4 / 200])
    assert found.holds([0.9 + 4 / 200])
    assert not found.holds([0.8])


def test_a_number_of_parameters_has_to_be_exact():
    found = limits("parameters", [1234, 1234, 1234])
    assert found.interval(1) == (1234, 1234)
    assert found.holds([1234])
    assert not found.holds([1235])


def test_equal_losses_allow_for_rounding_alone():
    found = limits("val_loss", [0.5, 0.5, 0.5])
    assert found.holds([0.50001])
    assert not found.holds([0.51])


def test_a_loss_of_zero_or_below_lies_below_every_interval_of_positive_losses():
    assert not limits("val_loss", [0.1, 0.2, 0.3]).holds([0.0])


def test_the_mean_of_several_runs_is_held_to_a_narrower_interval():
    found = limits("val_loss", [0.11, 0.13, 0.12, 0.10, 0.15])
    one, three = found.interval(1), found.interval(3)
    assert one.low < three.low < three.high < one.high


def test_a_figure_may_fail_on_one_side_only_and_then_has_the_whole_level_there():
    accuracies = [0.80, 0.84, 0.82, 0.86, 0.81]
    below = limits("val_accuracy", accuracies, 1000, fails="below")
    assert below.interval(1).high == math.inf
    assert below.interval(1).low == limits("val_accuracy", accuracies, 1000, level=2 * LEVEL).interval(1).low
    above = limits("val_accuracy", accuracies, 1000, fails="above")
    assert above.interval(1).low == -math.inf
    assert above.holds([0.1])
    assert not below.holds([0.1])


@pytest.mark.parametrize("count", [5, 20])
@pytest.mark.parametrize("tail", ["normal", "gumbel"])
@pytest.mark.parametrize(("metric", "sign"), [("val_loss", 1), ("val_accuracy", -1)])
def test_right_solutions_fail_at_most_as_often_as_stated(metric, sign, tail, count):
    random, level, studies = np.random.default_rng(count), 0.05, 1500
    drawn = getattr(random, tail)(size=(studies, count + 1))
    values = 0.2 * np.exp(0.1 * drawn) if metric == "val_loss" else np.sin(1.1 + 0.03 * sign * drawn) ** 2
    failed = [not limits(metric, list(row[:-1]), 10**6, level).holds([row[-1]]) for row in values]
    allowed = level + 3 * math.sqrt(level * (1 - level) / studies)
    assert 0.3 * level < np.mean(failed) < allowed


@pytest.mark.parametrize(
    ("metric", "values", "more", "said"),
    [
        ("val_loss", [0.1, -0.2], {"scale": "log"}, "scale: log needs positive values"),
        ("val_accuracy", [0.9, 0.9], {}, "all 2 reference runs have 0.9"),
    ],
)
def test_a_reference_without_an_interval_is_refused(metric, values, more, said):
    with pytest.raises(RequestError, match=said):
        check_values(AskedFigure(metric=metric, **more), values, None)
