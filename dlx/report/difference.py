"""In what two sides differ, each a run, a setting or a study: settings, code, data, environment, results."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dlx.report.any_text import any_text
from dlx.report.comparison import compare
from dlx.report.comparison_text import sentence
from dlx.report.design import find_design
from dlx.report.environment import code_and_data, environment
from dlx.report.load import StudyData
from dlx.report.metric import find_ranking
from dlx.report.side import Row, Side, listed
from dlx.report.summary import summarise
from dlx.report.text import visible, write_count, write_value
from dlx.run.history import first_difference
from dlx.run.identity import EXECUTION_KEYS, comparable, is_seed, requested


@dataclass(frozen=True)
class Difference:
    """`settings`: keys that change numbers; `others`: keys that change their last bits at most.

    `histories` and `verdicts` are sentences.
    """

    settings: list[Row]
    others: list[Row]
    code_and_data: list[Row]
    environment: list[Row]
    histories: list[str]
    verdicts: list[str]


@any_text()
def find_difference(one: Side, other: Side, metric: str = "") -> Difference:
    """Compare two sides. Raises RequestError for a metric that no run has."""
    keys = _differing_keys(one, other)
    apart = [key for key in keys if not is_seed(key)]
    counting = {key for values in _all_settings(one, other) for key in requested(values)}
    settings = [key for key in apart if key in counting]
    pairs = _pairs(one, other, settings)
    return Difference(
        [_row(key, one, other) for key in settings],
        [_row(key, one, other) for key in apart if key in EXECUTION_KEYS],
        list(code_and_data(one, other)),
        list(environment(one, other)),
        _parting(one, other, pairs),
        _verdicts(one, other, settings, metric),
    )


def _all_settings(one: Side, other: Side) -> list[dict[str, Any]]:
    return [*one.data.settings.values(), *other.data.settings.values()]


def _differing_keys(one: Side, other: Side) -> list[str]:
    """Return the keys whose values on the two sides are not the same set, in the order of the settings."""
    keys = {key: None for values in _all_settings(one, other) for key in values}
    ignored = ("name", "output_root", "slug", "rerun", "baseline")
    return [key for key in keys if key not in ignored and {*_values(one, key)} != {*_values(other, key)}]


def _values(side: Side, key: str) -> dict[str, Any]:
    """Return a key's values on one side: each once, by a text that equal values share."""
    values = [settings.get(key) for settings in side.data.settings.values()]
    return {comparable({"_size": value} if key.endswith("_size") else value): value for value in values}


def _row(key: str, one: Side, other: Side) -> Row:
    values = [[write_value(value) for value in _values(side, key).values()] for side in (one, other)]
    return Row(visible(key), listed(values[0]), listed(values[1]))


def _pairs(one: Side, other: Side, settings: Sequence[str]) -> list[tuple[str, str]]:
    """Return the runs that have the same seeds, and the same values of all keys but those that differ."""
    of_other = {_common(values, settings): run for run, values in other.data.settings.items()}
    found = {run: of_other.get(_common(values, settings)) for run, values in one.data.settings.items()}
    return [(run, match) for run, match in found.items() if match is not None]


def _common(values: Mapping[str, Any], settings: Sequence[str]) -> str:
    return comparable({key: value for key, value in requested(values).items() if key not in settings})


def _parting(one: Side, other: Side, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Say in which epochs the histories of paired runs part."""
    epochs: dict[tuple[str, str], int | None] = {}
    for pair in pairs:
        with suppress(OSError, ValueError):  # a run that failed has no history
            epochs[pair] = first_difference(one.history(pair[0]), other.history(pair[1]))
    if not epochs:
        return ["No two runs have the same seeds and histories, so none are compared."]
    parted = {pair: epoch for pair, epoch in epochs.items() if epoch is not None}
    if not parted:
        return [f"The histories are equal in every epoch ({write_count(len(epochs), 'pair')} of runs)."]
    first = min(parted, key=lambda pair: parted[pair])
    earliest, latest = min(parted.values()), max(parted.values())
    when = f"in epoch {earliest}" if earliest == latest else f"in epochs {earliest} to {latest}"
    of = f"{len(parted)} of {write_count(len(epochs), 'pair')} of runs part"
    return [f"{of} {when}: {_at(one.history(first[0]), other.history(first[1]), earliest)}"]


def _at(one: Mapping[str, Any], other: Mapping[str, Any], epoch: int) -> str:
    """Write the columns that differ in the first epoch in which two histories part."""
    if min(len(one["epoch"]), len(other["epoch"])) <= epoch:
        return f"one has {len(one['epoch']) - 1} epochs, the other {len(other['epoch']) - 1}."
    named = [
        f"{name.replace('_', ' ')} {_apart(float(one[name][epoch]), float(other[name][epoch]))}"
        for name in one
        if name in other and name not in ("epoch", "time") and not _same(one[name][epoch], other[name][epoch])
    ]
    return f"first {', '.join(named[:2])}."


def _apart(one: float, other: float) -> str:
    """Write two numbers that differ with nine digits, or with as many as it takes."""
    nine = f"{one:.9g} and {other:.9g}"
    return nine if f"{one:.9g}" != f"{other:.9g}" else f"{one!r} and {other!r}"


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)


def _verdicts(one: Side, other: Side, settings: Sequence[str], metric: str) -> list[str]:
    """Compare the settings of the second side with those of the first that have the same other values."""
    several = [side.name for side in (one, other) if _varies_within(side, settings)]
    if several:
        side = next(side for side in (one, other) if side.name == several[0])
        keys, has = listed(side.varying(settings)), "has" if len(several) == 1 else "have"
        example = shlex.quote(f"{side.folder}:{side.a_setting(settings)}")
        why = f"No verdict, because {' and '.join(several)} {has} several values of {keys}."
        return [f"{why} Name one setting, as in {example}."]
    data = _joined(one, other, settings)
    design = find_design(data.settings, ["side", "rest"] if _several_settings(data) else ["side"])
    ranking = find_ranking(data, metric)
    data, summary = ranking.data, summarise(ranking, design)
    places = {tuple(row.values()): index for index, row in enumerate(design.rows)}
    baselines = {
        index: places[(one.name, *rest)]
        for (side, *rest), index in places.items()
        if side == other.name and (one.name, *rest) in places
    }
    if not baselines:
        return ["No setting is on both sides, so no scores are compared."]
    comparisons = compare(data, design, summary, baselines=baselines, declared=True)
    labels = [", ".join(map(str, row.values())) for row in design.rows]
    return [sentence(pair, labels, comparisons) for pair in comparisons.against_baseline]


def _varies_within(side: Side, settings: Sequence[str]) -> bool:
    """Return whether a side has several values of the keys that differ, for equal values of the others."""
    found: dict[str, str] = {}
    for values in side.data.settings.values():
        own = comparable([values.get(key) for key in settings])
        if found.setdefault(_common(values, settings), own) != own:
            return True
    return False


def _several_settings(data: StudyData) -> bool:
    return len({values["rest"] for values in data.settings.values()}) > 1


def _joined(one: Side, other: Side, settings: Sequence[str]) -> StudyData:
    """Return the runs of both sides as one study whose key `side` tells them apart."""
    import pandas as pd

    common = {
        (side.name, run): {key: value for key, value in requested(values).items() if key not in settings}
        for side in (one, other)
        for run, values in side.data.settings.items()
    }
    design = find_design({f"{name}:{run}": values for (name, run), values in common.items()})
    joined: dict[str, dict[str, Any]] = {}
    for (name, run), values in common.items():
        seeds = {key: value for key, value in values.items() if is_seed(key)}
        label = design.labels[design.of_run[f"{name}:{run}"]]
        joined[f"{name}:{run}"] = {"side": name, "rest": label, **seeds}
    runs = pd.concat([one.data.runs, other.data.runs]).set_axis(list(joined), axis="index")
    return StudyData(runs, joined, pd.DataFrame({"run": []}), {})
