"""Units of evidence: what varies independently from repeat to repeat, a seed or a split."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import comb
from typing import Any

from dlx.run.identity import comparable, is_seed, setting_of

SPLIT = "data.split_seed"


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


def units(configs: list[Mapping[str, Any]]) -> tuple[list[str], str]:
    """Return the unit of each run, and what a unit is called: "split", "seed" or another seed key.

    Runs on one split share its luck, and so do runs with one initialisation in a crossed design. With several
    splits, drawn apart from the seeds, a unit is a split. Without, it is a value of the seed key with the
    fewest values, if that is crossed with others; else a combination of all seeds.
    """
    keys = {key for values in configs for key in values if is_seed(key)}
    by_rank = sorted(keys, key=lambda key: (key != "seed", key))
    columns = {key: [comparable(values.get(key)) for values in configs] for key in by_rank}
    distinct: dict[tuple[str, ...], str] = {}  # a key that follows another has an equal column
    for key, column in columns.items():
        distinct.setdefault(tuple(column), key)
    varying = {key: column for column, key in distinct.items() if len(set(column)) > 1}
    if SPLIT in varying:
        return list(varying[SPLIT]), "split"
    seeds = [comparable(values) for values in zip(*varying.values(), strict=True)] or [""] * len(configs)
    crossed = {key: column for key, column in varying.items() if len(set(column)) < len(set(seeds))}
    if not crossed:
        return seeds, "seed"
    key = min(crossed, key=lambda key: len(set(crossed[key])))
    return list(crossed[key]), key.removeprefix("seeds.")
