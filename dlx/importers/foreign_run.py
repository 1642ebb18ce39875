"""A run that another program logged, as plain values, whichever files they came from."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlx.run.documents import shorten

KNOWN = (
    "its own runs, CSV tables, event files of TensorBoard, offline runs of W&B, MLflow's file store or "
    "database, and logs of Lightning and Keras"
)
STATUS_KEY = "dlx.status"  # among the settings that dlx exports: how a run ended that did not complete
LONGEST_VALUE = 10_000  # letters of a setting

# The words of other programs for how a run ended; MLflow's files have numbers.
STATUS_WORDS = {
    "completed": ("completed", "complete", "finished", "success", "succeeded", "done", "ok", "3"),
    "diverged": ("diverged", "nan"),
    "failed": ("failed", "crashed", "killed", "error", "aborted", "timeout", "oom", "4", "5"),
    "running": ("running", "scheduled", "pending", "queued", "unfinished", "1", "2"),
}
STATUSES = {word: status for status, words in STATUS_WORDS.items() for word in words}


@dataclass(frozen=True)
class Columns:
    """What the user said about the columns of a table, or the names in a log; empty where dlx may guess."""

    setting: tuple[str, ...] = ()
    seed: tuple[str, ...] = ()
    metric: str = ""
    run: str = ""
    epoch: str = ""
    higher: bool | None = None

    @property
    def named(self) -> bool:
        """Whether anything was said that only makes sense for runs of another program."""
        return bool(self.setting or self.seed or self.run or self.epoch)


@dataclass(frozen=True)
class ForeignRun:
    """One run.

    A metric called "epoch" says at which epoch each step was.

    `source`: the file or folder that it was read from. `settings`: by dotted key. `seeds`: the keys among
    them that the format itself marks as seeds. `metrics`: by name, the value at each position. `counted_in`:
    what a position is, "epoch" or "step"; "" if each metric has one value. `status`: completed, diverged,
    failed, running, or "" if the files do not say. `seconds`: of training, NaN if unknown. `unread`: which of
    its settings could not be read, and why; "" if all were.
    """

    name: str
    source: Path
    settings: Mapping[str, Any]
    metrics: Mapping[str, Mapping[float, float]]
    counted_in: str = ""
    status: str = ""
    seconds: float = math.nan
    seeds: tuple[str, ...] = ()
    unread: str = ""


def read_status(word: object) -> str:
    """Return dlx's word for how a run ended; "" if the word is unknown."""
    return STATUSES.get(str(word).strip().lower(), "")


def read_value(text: str) -> Any:
    """Return the value that a text stands for: a number, true, false, None if it is empty, or the text."""
    text = text.strip()
    if text in ("", "None", "null", "nan", "NaN"):  # "none" is a choice, of dlx's model.norm for example
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    number = read_number(text)
    if math.isnan(number) or text.endswith("%"):
        return text[:LONGEST_VALUE]
    return int(number) if number.is_integer() and text.lstrip("+-").isdigit() else number


def read_number(text: str) -> float:
    """Return the number that a text stands for, NaN if there is none. "97.5%" is 0.975."""
    text = text.strip()
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return math.nan


def plain_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with dotted keys, and values that JSON holds, none of them very long."""
    settings: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [("", dict(values))]
    while waiting:
        prefix, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [
                (f"{prefix}.{key}" if prefix else str(key), item)
                for key, item in reversed(list(value.items()))
            ]
        elif prefix:
            settings[prefix] = _plain(value)
    return settings


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, float) or math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else shorten(value)
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        return shorten(value)
    return value if len(text) <= LONGEST_VALUE else shorten(text)
