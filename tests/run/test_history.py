"""history.csv is read as it was written, and refused if it is damaged."""

import math
import random
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlx.run.history import COLUMNS, TAIL, EpochRow, HistoryWriter, first_difference, read_history, read_last


def row(epoch: int, loss: float | None = 0.5, accuracy: float | None = 0.75) -> EpochRow:
    return EpochRow(epoch, 10 * epoch, 0.1 * epoch, 0.001, loss, accuracy, loss, accuracy)


def write(path: Path, rows: list[EpochRow]) -> Path:
    writer = HistoryWriter(path)
    for each in rows:
        writer.append(each)
    return path


def test_round_trip_is_exact_to_the_bit(tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = [
        EpochRow(epoch, epoch * 7, *(chance.random() * 10 ** chance.uniform(-300, 300) for _ in range(6)))
        for epoch in range(500)
    ]
    frame = read_history(write(tmp_path / "history.csv", rows))
    assert tuple(frame.columns) == COLUMNS
    assert [tuple(values) for values in frame.itertuples(index=False)] == [astuple(each) for each in rows]


def test_equal_rows_have_equal_bytes(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", [row(0), row(1)]).read_bytes()
    assert one == write(tmp_path / "two.csv", [row(0), row(1)]).read_bytes()
    assert one.splitlines()[1] == b"0,0,0.0,0.001,0.5,0.75,0.5,0.75"


def test_missing_values_are_empty_and_infinite_ones_are_kept(tmp_path: Path) -> None:
    rows = [row(0, None, None), row(1, math.nan), row(2, math.inf)]
    path = write(tmp_path / "history.csv", rows)
    assert path.read_text().splitlines()[1] == "0,0,0.0,0.001,,,,"
    losses = read_history(path)["train_loss"]
    assert losses.isna().tolist() == [True, True, False]
    assert losses[2] == math.inf


def test_numpy_floats_are_written_as_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "history.csv", [row(0, np.float64(0.1))])
    assert read_history(path)["train_loss"][0] == 0.1


def test_each_row_is_on_disk_when_its_epoch_ends(tmp_path: Path) -> None:
    writer = HistoryWriter(tmp_path / "history.csv")
    for epoch in range(3):
        writer.append(row(epoch))
        assert len(read_history(tmp_path / "history.csv")) == epoch + 1


def test_with_a_pause_rows_wait_for_a_later_one_or_a_flush(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    writer = HistoryWriter(path, pause=3600)
    for epoch in range(3):
        writer.append(row(epoch))
    assert len(read_history(path)) == 1
    writer.flush()
    assert (
        path.read_bytes() == write(tmp_path / "at_once.csv", [row(epoch) for epoch in range(3)]).read_bytes()
    )


def test_a_checkpoint_finds_the_rows_that_waited(tmp_path: Path) -> None:
    writer = HistoryWriter(tmp_path / "history.csv", pause=3600)
    for epoch in range(3):
        writer.append(row(epoch))
    _, (size, _) = writer.state()
    assert size == (tmp_path / "history.csv").stat().st_size
    assert len(read_history(tmp_path / "history.csv")) == 3


def test_extra_columns_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(f"{','.join(COLUMNS)},grad_norm\n0,0,0.0,0.1,1.0,0.5,1.0,0.5,2.5\n")
    assert read_history(path)["grad_norm"].tolist() == [2.5]


DAMAGE = {
    "the last line is cut short": lambda text: text[:-3],
    "the header does not begin with": lambda text: text.replace("train_loss", "training_loss"),
    "the header names a column twice": lambda text: text.replace("val_accuracy", "val_accuracy,val_loss"),
    "line 3 has 7 values": lambda text: text.replace("0.75\n2,", "2,").replace(",0.5,2,", ",0.5\n2,"),
    "line 3 has 9 values": lambda text: text.replace("\n2,", ",1.0\n2,"),
    "the epochs are not 0, 1, 2": lambda text: text.replace("\n1,", "\n3,"),
    "could not convert string to float": lambda text: text.replace("\n1,10,0.1,", "\n1,10,soon,"),
    "invalid literal for int": lambda text: text.replace("\n1,10,", "\n1,10.5,"),
    "codec can't decode": lambda text: text.encode() + b"\xff\n",
}


@pytest.mark.parametrize("complaint", DAMAGE)
def test_a_damaged_history_is_refused_by_name(tmp_path: Path, complaint: str) -> None:
    path = write(tmp_path / "history.csv", [row(0), row(1), row(2)])
    damaged = DAMAGE[complaint](path.read_text())
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    with pytest.raises(ValueError, match=complaint) as caught:
        read_history(path)
    assert str(path) in str(caught.value)


def test_pandas_alone_would_accept_a_cut_number(tmp_path: Path) -> None:
    path = write(tmp_path / "history.csv", [row(0), row(1)])
    path.write_text(path.read_text()[:-3])
    assert pd.read_csv(path)["val_accuracy"].tolist() == [0.75, 0.0]  # 0.75 cut to "0."
    with pytest.raises(ValueError, match="cut short"):
        read_history(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.csv").touch()
    with pytest.raises(ValueError, match="the file is empty"):
        read_history(tmp_path / "history.csv")


def test_the_last_complete_row_is_read_while_the_next_is_being_written(tmp_path: Path) -> None:
    path = write(tmp_path / "history.csv", [row(0, None, None), row(1, 0.25)])
    assert read_last(path)["train_loss"] == 0.25
    with path.open("a") as file:
        file.write("2,20,0.2,0.0")
    assert read_last(path)["epoch"] == 1
    write(path, [row(epoch, None) for epoch in range(5000)])
    assert path.stat().st_size > 2 * TAIL
    last = read_last(path)
    assert (last["epoch"], math.isnan(last["val_loss"])) == (4999, True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no complete row yet"),
        (",".join(COLUMNS) + "\n0,0", "no complete row yet"),
        (",".join(COLUMNS) + "\n0,0\n", "the last row is damaged"),
        ("a,b\n0,0\n", "the last row is damaged"),
        (",".join(COLUMNS) + "\n0,0,soon,,,,,\n", "could not convert"),
    ],
)
def test_a_history_without_a_complete_row_is_refused_by_name(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint) as caught:
        read_last(path)
    assert str(path) in str(caught.value)


def test_histories_part_where_only_one_lacks_a_value() -> None:
    one = {"epoch": np.arange(3), "train_loss": np.array([np.nan, 0.5, 0.4])}
    assert first_difference(one, one) is None
    for missing in (1, 2):
        other = one | {"train_loss": one["train_loss"].copy()}
        other["train_loss"][missing] = np.nan
        assert first_difference(one, other) == first_difference(other, one) == missing
    assert first_difference(one, one | {"val_loss": np.zeros(3)}) is None
