"""Follows the history of a run that another process trains."""

import csv
from collections.abc import Sequence
from pathlib import Path

from dlx.run.files import TABLE_LIMIT, open_regular
from dlx.run.history import COLUMNS, EpochRow


class Tail:
    """Reads a history that grows, each epoch once, however often the run goes on from a checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self._last = b""  # the line that ends at the offset
        self._epoch = -1

    def rows(self, since: float) -> list[EpochRow]:
        """Return the rows written since the last call; none of a file that is older than `since`."""
        try:
            if self._offset == 0 and self._path.stat().st_mtime < since:
                return []
            with open_regular(self._path, TABLE_LIMIT) as file:
                file.seek(self._offset - len(self._last))
                if file.read(len(self._last)) != self._last:  # the file was cut back to a checkpoint
                    self._offset = file.seek(0)
                text, whole, _ = file.read().rpartition(b"\n")
        except (FileNotFoundError, ValueError):  # not there yet, or somebody else's link
            return []
        if whole:
            self._offset += len(text + whole)
            self._last = text.rpartition(b"\n")[2] + whole
        lines = csv.reader((text + whole).decode().splitlines())
        rows = [_row(cells) for cells in lines if cells and cells[0] != COLUMNS[0]]
        new = [row for row in rows if row.epoch > self._epoch]
        self._epoch = max((row.epoch for row in new), default=self._epoch)
        return new


def _row(cells: Sequence[str]) -> EpochRow:
    values = [float(cell) if cell else None for cell in cells[2 : len(COLUMNS)]]
    time_, *rest = values
    return EpochRow(int(cells[0]), int(cells[1]), time_ or 0.0, *rest)
