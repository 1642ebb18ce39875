"""Which runs a claim's `where` means: by the settings of each run, and by what was chosen from each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlx.errors import RequestError, unknown
from dlx.report.text import write_value
from dlx.reproduce.claim import Claim, Value, Where
from dlx.run.identity import comparable


@dataclass(frozen=True)
class Planned:
    """A run of the claim's grid: its resolved settings by dotted key, and Hydra's choice of each group."""

    seed: int
    settings: Mapping[str, Any]
    choices: Mapping[str, str]


def check_claim(claim: Claim, runs: Sequence[Planned]) -> None:
    """Raise RequestError for a `where` that means no run, or several of one seed and none to pick."""
    for number, figure in enumerate(claim.figures):
        place = f"{claim.label}: figures.{number}.where"
        _check_where(place, figure.where, runs, several=figure.pick is not None)
        if figure.at == "test" and any(run.settings["keep"] == "none" for run in runs):
            raise RequestError(
                f"{place}: 'at: test' needs the weights: add keep=best or keep=last to overrides"
            )
    for number, order in enumerate(claim.orders):
        for where in order.sides:
            _check_where(f"{claim.label}: orders.{number}", where, runs, several=False)


def matching(where: Where, runs: Sequence[Planned]) -> list[int]:
    """Return the places of the runs that `where` means."""
    return [
        place for place, run in enumerate(runs) if all(_has(run, key, value) for key, value in where.items())
    ]


def write_where(where: Where) -> str:
    """Write a setting in a few words: "sgd, lr 0.1"; a choice from a group needs no heading."""
    words = [
        write_value(value)
        if "." not in key and isinstance(value, str)
        else f"{_leaf(key)} {write_value(value)}"
        for key, value in where.items()
    ]
    return ", ".join(words) or "all runs"


def _check_where(place: str, where: Where, runs: Sequence[Planned], *, several: bool) -> None:
    for key in where:
        if not any(key in run.settings or key in run.choices for run in runs):
            names = {name for run in runs for name in (*run.settings, *run.choices)}
            near = {name for name in names if name.split(".")[0] == key.split(".")[0]} or names
            raise unknown(f"{place}.{key}", key, near)
    places = matching(where, runs)
    if not places:
        seen = "; ".join(f"{key} is {_seen(key, runs)}" for key in where)
        raise RequestError(f"{place}: no run has {write_where(where)} ({seen})")
    seeds = [runs[index].seed for index in places]
    if len(set(seeds)) < len(seeds) and not several:
        raise RequestError(
            f"{place}: {len(places)} runs of {len(set(seeds))} seeds have {write_where(where)}; "
            f"it must say which one, or pick: best"
        )


def _has(run: Planned, key: str, value: Value) -> bool:
    if key in run.settings:
        return comparable(run.settings[key]) == comparable(value)
    return value in (run.choices.get(key), run.settings.get(f"{key}.name"))


def _seen(key: str, runs: Sequence[Planned]) -> str:
    values = [run.settings.get(key, run.choices.get(key)) for run in runs]
    return " or ".join(dict.fromkeys(write_value(value) for value in values))


def _leaf(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")
