"""Units of evidence: seeds, splits, and the crossed designs in which runs share one of them."""

from itertools import product

import pytest

from dlx.run.units import Repeats, count_repeats, other_units, units


def runs(**keys):
    """One run for each combination of the values; `__` stands for a dot."""
    names = [key.replace("__", ".") for key in keys]
    return [dict(zip(names, values, strict=True)) for values in product(*keys.values())]


def test_without_splits_a_unit_is_a_seed():
    assert count_repeats(runs(lr=[0.1, 0.2, 0.3], seed=range(5))) == Repeats(5, "seed", 3)
    assert count_repeats(runs(lr=[0.1, 0.2], seed=[1])) == Repeats(1, "seed", 0)
    assert count_repeats([]) == Repeats(0, "seed", 0)


def test_keys_that_follow_the_seed_change_nothing():
    configs = [
        {"data.split_seed": run["seed"], "seeds.init": run["seed"]} | run for run in runs(seed=range(4))
    ]
    configs = [run | {"lr": lr} for run in configs for lr in (1, 2)]
    assert count_repeats(configs) == Repeats(4, "seed", 2)


def test_with_several_splits_a_unit_is_a_split():
    assert count_repeats(runs(lr=[1, 2], seed=range(10), data__split_seed=range(3))) == Repeats(3, "split", 2)


def test_a_crossed_design_has_as_many_units_as_the_key_with_the_fewest_values():
    configs = runs(lr=[1, 2], seeds__init=range(3), seeds__order=range(5))
    assert count_repeats(configs) == Repeats(3, "init", 2)
    assert len(set(units(configs)[0])) == 3


def test_the_other_keys_of_a_crossed_design_are_units_of_their_own():
    configs = runs(lr=[1, 2], seeds__init=range(3), seeds__order=range(5))
    assert other_units(configs) == [[str(values["seeds.order"]) for values in configs]]
    configs = runs(seed=range(4), data__split_seed=range(3))
    assert other_units(configs) == [[str(values["seed"]) for values in configs]]
    assert other_units(runs(lr=[1, 2], seed=range(5))) == []


def test_a_key_with_too_few_values_for_a_test_is_passed_over():
    configs = runs(lr=[1, 2], seeds__init=range(2), seeds__order=range(5))
    assert count_repeats(configs) == Repeats(5, "order", 2)
    assert other_units(configs) == []
    assert count_repeats(runs(lr=[1, 2], seeds__init=range(2), seeds__order=range(2))).units == 2


def test_a_seed_that_one_setting_alone_has_does_not_count():
    configs = [*runs(lr=[1], seed=range(10)), *runs(lr=[2], seed=range(3)), *runs(lr=range(10, 20), seed=[0])]
    assert count_repeats(configs) == Repeats(3, "seed", 2)


@pytest.mark.parametrize(("settings", "pairs"), [(0, 0), (1, 0), (2, 1), (8, 28)])
def test_every_two_settings_are_a_pair(settings, pairs):
    assert Repeats(3, "seed", settings).pairs == pairs
