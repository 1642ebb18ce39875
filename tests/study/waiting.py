"""Waits for what a study that is being trained elsewhere has reached."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


def epochs(study: Path) -> list[int]:
    """Return the epochs that each run of a study has in its history."""
    return [len(path.read_text().splitlines()) - 1 for path in study.glob("*/history.csv")]


def until(what: Callable[[], Found], seconds: float = 120) -> Found:
    """Return what `what` returns once it is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited for long enough"
        time.sleep(0.05)
    return found
