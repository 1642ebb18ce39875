"""Tables of words, counts and numbers; test_history.py tests exactness and damage."""

from pathlib import Path

import pytest

from dlx.run.formats import TableWriter, read_table

COLUMNS = ("epoch", "layer", "mean")


def written(folder: Path) -> Path:
    table = TableWriter(folder / "layers.csv", COLUMNS)
    table.append([(0, 'a "b", c', 0.1), (1, "", None)])
    table.append([(2, "ü\nx", float("inf"))])
    return folder / "layers.csv"


def test_words_counts_and_numbers_are_read_as_they_were_written(tmp_path: Path) -> None:
    frame = read_table(written(tmp_path), COLUMNS, counts=("epoch",), words=("layer",))
    assert frame["epoch"].tolist() == [0, 1, 2]
    assert frame["layer"].tolist() == ['a "b", c', "", "ü\nx"]
    assert frame["mean"].isna().tolist() == [False, True, False]
    assert frame["mean"][0] == 0.1


def test_a_row_with_too_few_values_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="as many values"):
        TableWriter(tmp_path / "t.csv", COLUMNS).append([(0, "a")])


def test_another_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not begin with step,loss"):
        read_table(written(tmp_path), ("step", "loss"))
