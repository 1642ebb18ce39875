"""How far runs are that train in other processes, read from the histories they write: on any machine."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

from dlx.progress import RunDisplay
from dlx.run.history import COLUMNS, EpochRow
from dlx.run.paths import HISTORY
from dlx.sweep.job import Job


class Follower:
    """Shows each epoch of `jobs` on their displays once it is in the run's history."""

    def __init__(self, jobs: Sequence[Job], displays: Sequence[RunDisplay]) -> None:
        self._since = time.time()
        self._tails = [_Tail(job.folder / HISTORY) for job in jobs]
        self._displays = displays

    def look(self) -> None:
        """Show the epochs that have ended since the last look."""
        for tail, display in zip(self._tails, self._displays, strict=True):
            if display.closed:
                continue
            for row in tail.rows(self._since):
                display.epoch(row)


class _Tail:
    """The end of a history that grows; whole lines are read once."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def rows(self, since: float) -> list[EpochRow]:
        """Return the rows written since the last call, if the file is not an earlier try's."""
        try:
            if self._offset == 0 and self._path.stat().st_mtime < since:
                return []
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text, whole, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._offset += len(text + whole)
        lines = csv.reader((text + whole).decode().splitlines())
        return [_row(cells) for cells in lines if cells and cells[0] != COLUMNS[0]]


def _row(cells: Sequence[str]) -> EpochRow:
    values = [float(cell) if cell else None for cell in cells[2 : len(COLUMNS)]]
    time_, *rest = values
    return EpochRow(int(cells[0]), int(cells[1]), time_ or 0.0, *rest)
