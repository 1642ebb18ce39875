"""The code, data and environment in which the runs of two sides were trained, where they differ."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dlx.report.side import Row, Side, listed
from dlx.report.text import visible, write_value
from dlx.run.files import YAML_LIMIT, read_text
from dlx.run.result import Result
from dlx.study.study import Study

PACKAGES = 8  # that differ; more are counted


def code_and_data(one: Side, other: Side) -> Iterator[Row]:
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
            yield Row(visible(name), listed(first) or "not used", listed(second) or "not used")
    yield from _facts(one, other, lambda result: result.data)


def environment(one: Side, other: Side) -> Iterator[Row]:
    """Yield the versions, devices, machines, git commits and packages that are not the same on both sides."""
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
            yield Row(visible(name), listed(first), listed(second))


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
