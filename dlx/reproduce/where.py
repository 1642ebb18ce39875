"""Which runs a `where` names, such as {optimizer: adam, optimizer.lr: 0.01}, and how to write it in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlx.report.text import write_value
from dlx.reproduce.claim import Value, Where
from dlx.run.identity import comparable


@dataclass(frozen=True)
class PlannedRun:
    """A run of the claim's grid: its resolved settings by dotted key, and the choice from each group."""

    seed: int
    settings: Mapping[str, Any]
    choices: Mapping[str, str]


def matching(where: Where, runs: Sequence[PlannedRun]) -> list[int]:
    """Return the indices of the runs that `where` describes."""
    return [
        index for index, run in enumerate(runs) if all(_has(run, key, value) for key, value in where.items())
    ]


def write_where(where: Where) -> str:
    """Write a setting in a few words, such as "sgd, lr 0.1"; a choice from a group stands alone."""
    words = [
        write_value(value)
        if "." not in key and isinstance(value, str)
        else f"{key.rpartition('.')[2].replace('_', ' ')} {write_value(value)}"
        for key, value in where.items()
    ]
    return ", ".join(words) or "all runs"


def _has(run: PlannedRun, key: str, value: Value) -> bool:
    if key in run.settings:
        return comparable(run.settings[key]) == comparable(value)
    return value in (run.choices.get(key), run.settings.get(f"{key}.name"))
