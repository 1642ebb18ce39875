"""In what two sides differ, each a run, a setting or a study: settings, code, data, environment, results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dlx.errors import RequestError
from dlx.report.analysis import find_settings
from dlx.report.comparison import compare
from dlx.report.comparison_text import sentence
from dlx.report.design import find_design
from dlx.report.load import StudyData, load_study
from dlx.report.summary import summarise
from dlx.report.text import visible, write_count, write_value
from dlx.run.files import YAML_LIMIT, read_text
from dlx.run.history import first_difference, read_columns
from dlx.run.identity import EXECUTION_KEYS, comparable, is_seed, requested, setting_of
from dlx.run.paths import HISTORY
from dlx.run.result import Result, read_result
from dlx.study.study import Study

VALUES = 4  # of one key on one side; more are counted
PACKAGES = 8  # that differ; more are counted


@dataclass(frozen=True)
class Row:
    """One thing in which the sides differ, and what it is on each."""

    name: str
    first: str
    second: str


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


class Side:
    """The ended runs that one argument of `dlx diff` names: those of a folder, or of a setting in it."""

    def __init__(self, name: str, folder: Path, setting: str) -> None:
        self.name, self.folder = name, folder
        data = load_study([folder])
        if not len(data.runs):
            reason = next(iter(data.left_out.values()), "")
            raise RequestError(f"{folder}: holds no run that has ended{reason and f'; {reason}'}")
        if setting:
            design = find_design(data.settings)
            chosen = {*find_settings(design, setting, folder.name)}
            data = _restricted(data, [run for run, index in design.of_run.items() if index in chosen])
        self.data = data

    @cached_property
    def results(self) -> dict[str, Result]:
        """The result of each run, by name."""
        read = {run: read_result(Path(folder)) for run, folder in self.data.runs["folder"].items()}
        return {str(run): result for run, result in read.items() if result is not None}

    @property
    def count(self) -> str:
        """How many runs and settings it has, in words."""
        settings = len({setting_of(values) for values in self.data.settings.values()})
        return f"{write_count(len(self.data.runs), 'run')} of {write_count(settings, 'setting')}"

    def history(self, run: str) -> Mapping[str, Any]:
        """Read a run's history by column."""
        return read_columns(Path(str(self.data.runs.loc[run, "folder"])) / HISTORY)


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
        list(_code_and_data(one, other)),
        list(_environment(one, other)),
        _parting(one, other, pairs),
        _verdicts(one, other, settings, metric),
    )


def _restricted(data: StudyData, runs: Sequence[str]) -> StudyData:
    return StudyData(
        data.runs.loc[list(runs)],
        {run: data.settings[run] for run in runs},
        data.histories[data.histories["run"].isin(runs)],
        data.left_out,
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
    return Row(visible(key), _listed(values[0]), _listed(values[1]))


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - VALUES} more" if len(values) > VALUES else ""
    return ", ".join(values[:VALUES]) + more


def _code_and_data(one: Side, other: Side) -> Iterator[Row]:
    """Yield the user's own files that have other versions on the two sides, and other facts of the data."""
    versions: list[dict[str, set[str]]] = []
    for side in (one, other):
        of_side: dict[str, set[str]] = {}
        for result in side.results.values():
            own = result.fingerprints
            for name, value in {**own.code, **own.data}.items() if own else ():
                of_side.setdefault(name, set()).add(value.removeprefix("sha256:")[:12])
        versions.append(of_side)
    for name in dict.fromkeys([*versions[0], *versions[1]]):
        first, second = (sorted(each.get(name, ())) for each in versions)
        if first != second:
            yield Row(visible(name), _listed(first) or "not used", _listed(second) or "not used")
    yield from _facts(one, other, lambda result: result.data)


def _environment(one: Side, other: Side) -> Iterator[Row]:
    yield from _facts(one, other, _executed)
    sources = [_last_source(side) for side in (one, other)]
    for name in ("commit", "patch"):
        first, second = (str(source.get(name) or "none") for source in sources)
        if first != second:
            yield Row({"commit": "git commit", "patch": "changes to it"}[name], first[:24], second[:24])
    packages = [_packages(side, source) for side, source in zip((one, other), sources, strict=True)]
    if not all(packages):
        return
    names = sorted({*packages[0], *packages[1]} - {"dlx", "torch", "numpy"})  # every result has those
    differing = [name for name in names if packages[0].get(name) != packages[1].get(name)]
    for name in differing[:PACKAGES]:
        yield Row(visible(name), *(visible(each.get(name, "not installed")) for each in packages))
    if len(differing) > PACKAGES:
        yield Row(f"and {len(differing) - PACKAGES} more packages", "", "")


def _executed(result: Result) -> dict[str, Any]:
    """Return what a run was executed with."""
    machine = (result.model_extra or {}).get("machine")
    return {
        **result.versions,
        "device": result.device,
        "threads": result.threads,
        "engine": result.engine,
        "runs in a stack": result.cohort,
        **(machine if isinstance(machine, dict) else {}),
    }


def _facts(one: Side, other: Side, facts: Callable[[Result], Mapping[str, Any]]) -> Iterator[Row]:
    """Yield the facts of results of which the two sides have not the same values."""
    of_sides = [[facts(result) for result in side.results.values()] for side in (one, other)]
    for name in {name: None for each in (*of_sides[0], *of_sides[1]) for name in each}:
        first, second = ([*{write_value(each.get(name)): None for each in side}] for side in of_sides)
        if {*first} != {*second}:
            yield Row(visible(name), _listed(first), _listed(second))


def _last_source(side: Side) -> Mapping[str, Any]:
    """Return what the last request that names a run of this side says of the code that it ran on."""
    names = {Path(str(folder)).name for folder in side.data.runs["folder"]}
    study = Path(str(side.data.runs["folder"].iloc[0])).resolve().parent
    with suppress(ValueError):
        for request in reversed(Study(study).requests):
            if names.intersection(run["name"] for run in request["runs"]):
                source = request.get("source")
                return source if isinstance(source, dict) else {}
    return {}


def _packages(side: Side, source: Mapping[str, Any]) -> dict[str, str]:
    study = Path(str(side.data.runs["folder"].iloc[0])).resolve().parent
    name = str(source.get("packages") or "")
    if not name or name != Path(name).name:
        return {}
    with suppress(OSError, ValueError):
        lines = read_text(Study(study).source_folder / name, YAML_LIMIT).splitlines()
        return {name: version for name, _, version in (line.partition("==") for line in lines)}
    return {}


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
        keys, has = _listed(settings), "has" if len(several) == 1 else "have"
        why = f"No verdict, because {' and '.join(several)} {has} several values of {keys}."
        return [f"{why} Name one setting, as in DIR:optimizer=sgd,lr=0.1."]
    data = _joined(one, other, settings)
    design = find_design(data.settings, ["side", "rest"] if _several_settings(data) else ["side"])
    summary = summarise(data, design, metric)
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
