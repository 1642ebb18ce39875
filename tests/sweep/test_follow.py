"""Progress is read from the histories that other processes write, each line once."""

import os
from pathlib import Path
from types import SimpleNamespace

from dlx.run.history import EpochRow, HistoryWriter
from dlx.sweep.follow import Follower


class Seen:
    closed = False

    def __init__(self):
        self.rows = []

    def epoch(self, row):
        self.rows.append(row)


def test_every_whole_line_is_shown_once(tmp_path):
    seen = Seen()
    follower = Follower([SimpleNamespace(folder=tmp_path)], [seen])
    follower.look()  # no history yet
    rows = [EpochRow(0, 0, 0.0, None, None, None, 2.5, 0.1), EpochRow(1, 10, 0.5, 0.1, 2.0, 0.25, None, 0.5)]
    writer = HistoryWriter(tmp_path / "history.csv", extra=("x",))
    for row in rows:
        writer.append(row, {"x": 3.0})
        follower.look()
        follower.look()
    assert seen.rows == rows
    with (tmp_path / "history.csv").open("a") as file:
        file.write("2,20,0.")  # a line that is being written
    follower.look()
    assert seen.rows == rows


def test_an_earlier_trys_history_and_an_ended_run_are_not_shown(tmp_path):
    seen = Seen()
    HistoryWriter(tmp_path / "history.csv").append(EpochRow(0, 0, 0.0, None, None, None, 2.5, 0.1))
    os.utime(tmp_path / "history.csv", (1, 1))
    follower = Follower([SimpleNamespace(folder=Path(tmp_path))], [seen])
    follower.look()
    (tmp_path / "history.csv").unlink()
    HistoryWriter(tmp_path / "history.csv").append(EpochRow(0, 0, 0.0, None, None, None, 1.5, 0.2))
    seen.closed = True
    follower.look()
    assert seen.rows == []
    seen.closed = False
    follower.look()
    assert [row.val_loss for row in seen.rows] == [1.5]
