"""Which settings differ between runs: the keys to show, the settings they make, and a short name for each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from dlx.errors import RequestError, nearest
from dlx.report.choices import name_choices, words_of_rows
from dlx.report.text import visible, write_value
from dlx.run.identity import comparable, is_seed, requested, without_effect

LABEL_PARTS = 12  # studies of different data sets differ in dozens of keys, and a legend has one line


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Design:
    """The settings of a study: `rows[i]` holds the values of setting i for `keys`.

    `names`: a short heading for each key. `labels`: each setting in a few words, all different. `of_run`: the
    index of each run's setting. `implied`: keys that differ between runs but follow from a shown key, with
    their value for each of its values. `shared`: keys that are equal in all runs. `seeds`: the keys to
    average over: seeds that vary and, if keys were chosen to group by, all other keys that vary and do not
    follow from those. Of keys that are equal in every run only the first is listed. `words`: by group, the
    choice that was typed for each setting, if it is the same in all of its runs.
    """

    keys: list[str]
    names: dict[str, str]
    rows: list[dict[str, Any]]
    labels: list[str]
    of_run: dict[str, int]
    implied: dict[str, str]
    shared: dict[str, Any]
    seeds: list[str]
    words: dict[str, list[str | None]] = field(default_factory=dict)


def find_design(settings: Mapping[str, Mapping[str, Any]], by: Sequence[str] = ()) -> Design:
    """Find the keys that vary between runs, or group the runs only `by` the given keys.

    `settings`: by run, values by dotted key (see `flatten`). Raises RequestError for a key in `by` that does
    not vary or does not exist.
    """
    asked = {run: requested(values) for run, values in settings.items()}
    name_choices(asked, settings, by)
    keys = list(dict.fromkeys(key for values in asked.values() for key in values))
    columns = {key: [values.get(key) for values in asked.values()] for key in keys}
    written = {key: tuple(_write(key, value) for value in columns[key]) for key in keys}
    varying = [key for key in keys if len(set(written[key])) > 1]
    free = [key for key in varying if not is_seed(key)]
    follows = determined = _determined({key: written[key] for key in free})
    shown = [key for key in free if key not in determined]
    if by:
        every_name = short_names(free, keys)
        asked_keys = [_asked_keys(given, free, shown, every_name) for given in by]
        shown = list(dict.fromkeys(key for keys_of_one in asked_keys for key in keys_of_one))
        determined = {key: other for key, other in determined.items() if other in shown and key not in shown}
    over = {key for key in free if key not in shown and key not in follows}
    seeds = _first_equals({key: written[key] for key in varying if is_seed(key) or key in over})
    row_of = {run: tuple(written[key][index] for key in shown) for index, run in enumerate(asked)}
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for run, values in asked.items():
        rows.setdefault(row_of[run], {key: values.get(key) for key in shown})
    indices = {row: index for index, row in enumerate(rows)}
    names = short_names(shown, keys)
    return Design(
        keys=shown,
        names=names,
        rows=list(rows.values()),
        labels=_distinct([label(row, names) for row in rows.values()]),
        of_run={run: indices[row] for run, row in row_of.items()},
        implied={key: _implication(columns[other], columns[key]) for key, other in determined.items()},
        shared={key: columns[key][0] for key in keys if key not in varying} | _equal_without_effect(settings),
        seeds=[key for key, first in seeds.items() if first == key],
        words=words_of_rows(settings, {run: indices[row] for run, row in row_of.items()}, len(rows)),
    )


def _equal_without_effect(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return how all runs were executed, and what they recorded; without what differs between them."""
    first, *others = [without_effect(values) for values in settings.values()] or [{}]
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


def _asked_keys(given: str, free: Sequence[str], shown: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Return the keys that --by names: one key, or for a group ("augment") its keys that are shown."""
    if given not in names.values():
        for keys in (shown, free):  # all of a group's keys may follow from another key
            if group := [key for key in keys if key.startswith(f"{given}.")]:
                return group
    return [find_key(given, free, names, "--by")]


def find_key(given: str, keys: Sequence[str], names: Mapping[str, str], option: str) -> str:
    """Return the key with this full or short name; raises RequestError if there is none."""
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


def _write(key: str, value: object) -> str:
    """Write a value so that equal values are equal text; as a size, 1 is a count and 1.0 a fraction."""
    return comparable({"_size": value} if key.endswith("_size") else value)


def _determined(columns: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Map each key that need not be shown to the key it follows from. `columns`: values from `_write`.

    A key follows from its own group's choice (`optimizer.momentum` from `optimizer.name`) if it has one value
    for each choice, and from any key with the same values (an interpolation). Nothing more: in a random
    search each run's learning rate would "determine" its width, and a searched width must be shown.
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
    """Map each key to the first key with the same values in all runs, which may be itself."""
    first: dict[tuple[str, ...], str] = {}
    return {key: first.setdefault(values, key) for key, values in columns.items()}


def _follows(by: Sequence[str], values: Sequence[str]) -> bool:
    return len(set(zip(by, values, strict=True))) == len(set(by))


def _implication(by: Sequence[Any], values: Sequence[Any]) -> str:
    pairs = {write_value(one): write_value(other) for one, other in zip(by, values, strict=True)}
    return ", ".join(f"{other} with {one}" for one, other in pairs.items())


def short_names(shown: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """Shorten `optimizer.name` to `optimizer`, and `optimizer.lr` to `lr` if no other key ends in lr."""
    leaves = Counter(key.rpartition(".")[2] for key in keys if not is_seed(key))
    names = {}
    for key in shown:
        group, _, leaf = key.rpartition(".")
        names[key] = visible(group if leaf == "name" and group else leaf if leaves[leaf] == 1 else key)
    return names


def label(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Write a setting in a few words, "adam, lr 0.001"; choices have no heading, missing values no text."""
    words = [
        write_value(value) if key.endswith(".name") else f"{names[key]} {write_value(value)}"
        for key, value in row.items()
        if value is not None
    ]
    if len(words) > LABEL_PARTS:
        words[LABEL_PARTS:] = [f"{len(words) - LABEL_PARTS} more"]
    return ", ".join(words) or ("all runs" if not row else "nothing set")


def _distinct(labels: list[str]) -> list[str]:
    """Add numbers to labels that came out equal (0.1 and 0.10000000001): charts join points by label."""
    equal, numbers = Counter(labels), {text: count(1) for text in labels}
    return [f"{text} ({next(numbers[text])})" if equal[text] > 1 else text for text in labels]
