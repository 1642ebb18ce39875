"""Tables as features and a target, by value."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from dlx.data.source import sources
from dlx.errors import RequestError

TABLE = "weight,colour,wild,kind\n2.5,red,True,cat\n3,blue,False,dog\n4,red,False,cat\n1,red,True,dog\n"


def build(root, text=TABLE, target="kind", **arguments):
    (root / "mine.csv").write_text(text)
    return sources.build("table", {"path": "mine.csv", "target": target, **arguments}, root=root)


def test_numbers_stay_and_texts_become_a_column_each_in_alphabetical_order(tmp_path):
    source = build(tmp_path)
    assert source.classes == ("cat", "dog")
    assert source.train.labels.tolist() == [0, 1, 0, 1]
    assert source.train.inputs.tolist() == [[2.5, 0, 1, 1], [3, 1, 0, 0], [4, 0, 1, 0], [1, 0, 1, 1]]
    assert source.notes == ("data.path: mine.csv: texts became 2 columns of 0 and 1: colour",)


def test_columns_can_be_ignored_and_several_numbers_predicted(tmp_path):
    source = build(tmp_path, target=["weight", "wild"], ignore=["kind"])
    assert source.classes == ()
    assert source.train.labels.tolist() == [[2.5, 1], [3, 0], [4, 0], [1, 1]]
    assert source.train.inputs.shape == (4, 2)


def test_rows_with_an_empty_cell_are_left_out_on_request(tmp_path):
    source = build(tmp_path, TABLE + ",red,True,cat\n5,,True,dog\n", missing="drop")
    assert len(source.train) == 4
    assert source.notes[0] == "data.path: mine.csv: 2 of 6 rows have an empty cell and are left out"


def test_the_row_numbers_of_pandas_are_left_out_and_an_id_is_pointed_at(tmp_path):
    frame = pd.DataFrame({"id": [1, 2, 3, 4], "size": [3, 1, 4, 1], "kind": ["a", "b", "a", "b"]})
    source = build(tmp_path, frame.to_csv())
    assert source.train.inputs[:, 0].tolist() == [1, 2, 3, 4]
    assert source.train.inputs.shape == (4, 2)
    assert source.notes == (
        "data.path: mine.csv: the column without a name counts the rows and is left out",
        "data.path: mine.csv: column id counts the rows; to leave it out: data.ignore=[id]",
    )


def test_semicolons_with_decimal_commas_give_the_same_numbers(tmp_path):
    text = TABLE.replace(",", ";").replace("2.5", "2,5")
    assert build(tmp_path, text).train.inputs[0].tolist() == [2.5, 0, 1, 1]


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (TABLE, {"target": None}, r"data\.target: name the column to predict; mine\.csv has weight, colour,"),
        (TABLE, {"ignore": ["kind"]}, r"data\.ignore=kind: this column is the target"),
        (TABLE, {"ignore": ["weight", "colour", "wild"]}, "has no column besides the target kind"),
        (TABLE, {"target": ["kind", "weight"]}, "several targets, which are read as numbers, but kind holds"),
        (TABLE + ",,,\n", {}, r"empty cells in .*weight \(1 of 5 rows\)"),
        (TABLE + "inf,red,True,cat\n", {}, "has an infinite number in row 5"),
        ("", {}, "cannot be read as a table: No columns"),
        ("a,kind\n", {}, "has no rows"),
        ("a,kind\n1,2,3\n1,2,3,4\n", {}, "cannot be read as a table"),
    ],
)
def test_tables_that_cannot_be_trained_on_are_refused(tmp_path, text, arguments, message):
    with pytest.raises(RequestError, match=message):
        build(tmp_path, text, **arguments)


def test_a_table_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "mine.csv").write_bytes("kind\ncafé\n".encode("latin-1"))
    with pytest.raises(RequestError, match="is not text in UTF-8"):
        sources.build("table", {"path": "mine.csv", "target": "kind"}, root=tmp_path)


def test_parquet_gives_the_same_numbers_or_says_what_to_install(tmp_path):
    if importlib.util.find_spec("pyarrow") is None:
        (tmp_path / "mine.parquet").write_bytes(b"PAR1")
        with pytest.raises(RequestError, match=r"needs pyarrow: pip install 'dlx\[parquet\]'"):
            sources.build("table", {"path": "mine.parquet", "target": "kind"}, root=tmp_path)
        return
    expected = build(tmp_path)
    pd.read_csv(tmp_path / "mine.csv").astype({"colour": "category"}).to_parquet(tmp_path / "mine.parquet")
    source = sources.build("table", {"path": "mine.parquet", "target": "kind"}, root=tmp_path)
    assert source.train.inputs.tolist() == expected.train.inputs.tolist()
    assert np.array_equal(source.train.labels, expected.train.labels)
