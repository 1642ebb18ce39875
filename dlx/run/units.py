"""Units of evidence: what varies from repeat to repeat, a seed, a split or a fold of cross-validation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from dlx.run.folds import unit_of_fold
from dlx.run.identity import SPLIT, comparable, is_seed, setting_of
from dlx.stats.tests import FEWEST


@dataclass(frozen=True)
class Repeats:
    """How often settings were repeated, counting only what can be compared.

    `units`: those that at least two settings have. `unit`: what one is called. `settings`: those that have at
    least two units.
    """

    units: int
    unit: str
    settings: int

    @property
    def pairs(self) -> int:
        """The number of pairs of settings."""
        return comb(self.settings, 2)


def count_repeats(runs: Iterable[Mapping[str, Any]]) -> Repeats:
    """Count the units of runs, given as flat configurations (see `flatten`)."""
    configs = list(runs)
    of_run, unit_name = units(configs)
    settings_of_unit: dict[str, set[str]] = defaultdict(set)
    units_of_setting: dict[str, set[str]] = defaultdict(set)
    for values, unit in zip(configs, of_run, strict=True):
        setting = setting_of(values)
        settings_of_unit[unit].add(setting)
        units_of_setting[setting].add(unit)
    return Repeats(
        sum(len(settings) >= 2 for settings in settings_of_unit.values()),
        unit_name,
        sum(len(own) >= 2 for own in units_of_setting.values()),
    )


def units(configs: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    """Return the unit of each run, and what a unit is called: "fold", "split", "seed" or another seed key.

    In cross-validation a unit is a fold of one repeat, because every fold has seeds of its own as well.
    Runs on one split share its luck, and so do runs with one initialisation in a crossed design. With several
    splits, drawn apart from the seeds, a unit is a split. Without, it is a value of the seed key with the
    fewest values, if that is crossed with others; else a combination of all seeds. Keys with too few values
    for a test are passed over if another one has enough.
    """
    folds = [unit_of_fold(values) for values in configs]
    if any(folds):
        return [fold or _seeds(values) for fold, values in zip(folds, configs, strict=True)], "fold"
    varying = _varying(configs)
    if SPLIT in varying:
        return varying[SPLIT], "split"
    crossed = _crossed(varying)
    if not crossed:
        seeds = [comparable(values) for values in zip(*varying.values(), strict=True)]
        return seeds or [""] * len(configs), "seed"
    counts = {key: len(set(column)) for key, column in crossed.items()}
    key = min(counts, key=lambda key: (counts[key] < FEWEST, counts[key]))
    return crossed[key], key.removeprefix("seeds.")


def other_units(configs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the other units of a crossed design, each as `units` does; only those with enough for a test.

    A test sees only the luck of its own unit. Where settings differ by the other key's values, it finds
    differences that are not there in up to 60% of studies.
    """
    first, name = units(configs)
    if name == "fold":
        return []
    crossed = _crossed(_varying(configs)).values()
    return [column for column in crossed if column != first and len(set(column)) >= FEWEST]


def _seeds(values: Mapping[str, Any]) -> str:
    return comparable({key: value for key, value in values.items() if is_seed(key)})


def _varying(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the values by run of each seed key that varies; of keys that follow each other the first."""
    keys = {key for values in configs for key in values if is_seed(key)}
    distinct: dict[tuple[str, ...], str] = {}  # a key that follows another has an equal column
    for key in sorted(keys, key=lambda key: (key != "seed", key)):
        distinct.setdefault(tuple(comparable(values.get(key)) for values in configs), key)
    return {key: list(column) for column, key in distinct.items() if len(set(column)) > 1}


def _crossed(varying: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the keys that are crossed with others: they have fewer values than there are combinations."""
    combinations = len(set(zip(*varying.values(), strict=True)))
    return {key: column for key, column in varying.items() if len(set(column)) < combinations}
