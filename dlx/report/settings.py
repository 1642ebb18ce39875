"""Which settings tell the runs apart: the keys to show, the rows they make, and a short name for each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlx.errors import RequestError, nearest
from dlx.report.text import visible, write_value
from dlx.run.identity import comparable, requested

SEED_KEYS = ("seed", "data.split_seed")
WORDS = 12  # of a label: studies of different data sets differ in dozens of keys, and a legend has a line


@dataclass(frozen=True, eq=False)  # one is itself alone, and can be a key
class Design:
    """`rows[i]` is the i-th setting's values for `keys`; `of_run` says which row each run belongs to.

    `names`: a short heading for each key. `labels`: each row in a few words, all different. `implied`:
    keys that differ between runs but follow from a shown key, with their value for each of its values.
    `shared`: what is equal in all runs. `seeds`: keys aggregated over that
    take more than one value, without those that equal another in every run: seeds, and where keys were chosen
    to group by, all others that vary and do not follow from those.
    """

    keys: list[str]
    names: dict[str, str]
    rows: list[dict[str, Any]]
    labels: list[str]
    of_run: dict[str, int]
    implied: dict[str, str]
    shared: dict[str, Any]
    seeds: list[str]


def find_design(settings: Mapping[str, Mapping[str, Any]], by: Sequence[str] = ()) -> Design:
    """Find what varies between runs, or group them `by` these keys alone.

    `settings`: by run, values by dotted key (see `flatten`). Raises RequestError for a key in `by` that has
    one value in all runs, or is none.
    """
    asked = {run: requested(values) for run, values in settings.items()}
    keys = list(dict.fromkeys(key for values in asked.values() for key in values))
    columns = {key: [values.get(key) for values in asked.values()] for key in keys}
    written = {key: tuple(_write(key, value) for value in columns[key]) for key in keys}
    varying = [key for key in keys if len(set(written[key])) > 1]
    free = [key for key in varying if not is_seed(key)]
    determined = _determined({key: written[key] for key in free})
    shown = [key for key in free if key not in determined]
    if by:
        every_name = short_names(free, keys)
        shown = list(dict.fromkeys(find_key(key, free, every_name, "--by") for key in by))
        determined = {key: other for key, other in determined.items() if other in shown and key not in shown}
    over = {key for key in free if key not in shown and key not in determined}
    seeds = _first_equals({key: written[key] for key in varying if is_seed(key) or key in over})
    row_of = {run: tuple(written[key][place] for key in shown) for place, run in enumerate(asked)}
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for run, values in asked.items():
        rows.setdefault(row_of[run], {key: values.get(key) for key in shown})
    places = {row: place for place, row in enumerate(rows)}
    names = short_names(shown, keys)
    return Design(
        keys=shown,
        names=names,
        rows=list(rows.values()),
        labels=_distinct([label(row, names) for row in rows.values()]),
        of_run={run: places[row] for run, row in row_of.items()},
        implied={key: _implication(columns[other], columns[key]) for key, other in determined.items()},
        shared={key: columns[key][0] for key in keys if key not in varying},
        seeds=[key for key, first in seeds.items() if first == key],
    )


def find_key(given: str, keys: Sequence[str], names: Mapping[str, str], option: str) -> str:
    """Return the key that is meant, by its full or short name; raises RequestError if there is none."""
    if given in keys:
        return given
    by_name = {name: key for key, name in names.items() if key in keys}
    if given in by_name:
        return by_name[given]
    if not keys:
        raise RequestError(f"{option}: nothing but seeds differs between the runs")
    allowed = [visible(key) for key in keys]
    raise RequestError(
        f"{option}: no key '{visible(given)}' differs between the runs{nearest(given, [*by_name, *allowed])} "
        f"(those that do: {', '.join(allowed)})"
    )


def is_seed(key: str) -> bool:
    """Say whether a key is a source of chance, to be averaged over."""
    return key in SEED_KEYS or key.startswith("seeds.")


def _write(key: str, value: object) -> str:
    """Write a value so that equal ones are equal text; of sizes 1 is a count and 1.0 a share."""
    return comparable({"_size": value} if key.endswith("_size") else value)


def _determined(columns: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Map each key that need not be shown to the key it follows from. `columns`: values as `_write` has them.

    A key follows from its own group's choice (`optimizer.momentum` from `optimizer.name`) where each
    choice has one value of it in all runs, and from any key that has the very same values (an
    interpolation). No further: in a search over random values each run's learning rate would
    "determine" its width, and a width that was searched must be seen.
    """
    determined: dict[str, str] = {}
    firsts = _first_equals(columns)
    for key, values in columns.items():
        choice = f"{key.split('.')[0]}.name"
        if choice != key and choice in columns and _follows(columns[choice], values):
            determined[key] = choice
            continue
        if (first := firsts[key]) != key and first not in determined:
            determined[key] = first
    return determined


def _first_equals(columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Map each key to the first that has the same values in all runs, which may be itself."""
    first: dict[tuple[str, ...], str] = {}
    return {key: first.setdefault(values, key) for key, values in columns.items()}


def _follows(by: Sequence[str], values: Sequence[str]) -> bool:
    return len(set(zip(by, values, strict=True))) == len(set(by))


def _implication(by: Sequence[Any], values: Sequence[Any]) -> str:
    pairs = {write_value(one): write_value(other) for one, other in zip(by, values, strict=True)}
    return ", ".join(f"{other} with {one}" for one, other in pairs.items())


def short_names(shown: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """Shorten `optimizer.name` to `optimizer` and `optimizer.lr` to `lr` where no other key ends in lr."""
    leaves = Counter(key.rpartition(".")[2] for key in keys if not is_seed(key))
    names = {}
    for key in shown:
        group, _, leaf = key.rpartition(".")
        names[key] = visible(group if leaf == "name" and group else leaf if leaves[leaf] == 1 else key)
    return names


def label(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Write a setting in a few words: "adam, lr 0.001"; a choice needs no heading, a missing value none."""
    words = [
        write_value(value) if key.endswith(".name") else f"{names[key]} {write_value(value)}"
        for key, value in row.items()
        if value is not None
    ]
    if len(words) > WORDS:
        words[WORDS:] = [f"{len(words) - WORDS} more"]
    return ", ".join(words) or ("all runs" if not row else "nothing set")


def _distinct(labels: list[str]) -> list[str]:
    """Make labels differ that came out equal (0.1 and 0.10000000001): charts join points by label."""
    return [
        f"{text} ({labels[: place + 1].count(text)})" if labels.count(text) > 1 else text
        for place, text in enumerate(labels)
    ]
