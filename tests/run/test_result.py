"""result.json is plain JSON in which NaN is null."""

import json
import math
from pathlib import Path

import pytest

from dlx import __version__
from dlx.run.identity import identity
from dlx.run.result import (
    KEY_LETTERS,
    KEYS,
    VALUE_LETTERS,
    Result,
    read_result,
    what_was_different,
    write_result,
)


def result(**changes: object) -> Result:
    values: dict[str, object] = {
        "status": "completed",
        "identity": "ab" * 32,
        "config": {"optimizer": {"name": "adam", "lr": 0.1}, "layers": [1, 2]},
        "last": {"epoch": 3, "val_loss": 0.1 + 0.2, "val_accuracy": None},
        "layers": [{"layer": "output", "module": "Linear", "output_shape": [10], "parameters": 650}],
    }
    return Result.model_validate(values | changes)


def test_round_trip(tmp_path: Path) -> None:
    write_result(tmp_path, result())
    again = read_result(tmp_path)
    assert again == result()
    assert again is not None
    assert isinstance(again.last["epoch"], int)


def test_values_that_are_not_finite_are_null_in_strict_json(tmp_path: Path) -> None:
    config = {"nested": [{"bound": math.inf}, (math.nan, 1.0)]}
    write_result(tmp_path, result(status="diverged", last={"val_loss": math.nan}, config=config))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (tmp_path / "result.json").read_text()
    assert json.loads(text, parse_constant=refuse)["config"] == {"nested": [{"bound": None}, [None, 1.0]]}
    again = read_result(tmp_path)
    assert again is not None
    assert again.last == {"val_loss": None}


def test_a_run_that_has_not_ended_has_no_result(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"status": "completed", "config": {}}', "identity: Field required"),
        (b'{"status": "fine", "identity": "x", "config": {}}', "status: "),
        (b'{"status": "comp', "not valid JSON: Unterminated string"),
        (b"\xff\xfe", "codec can't decode"),
    ],
)
def test_a_damaged_result_is_refused_by_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as caught:
        read_result(tmp_path)
    assert str(tmp_path / "result.json") in str(caught.value)


def test_keys_of_later_versions_are_kept(tmp_path: Path) -> None:
    write_result(tmp_path, result(colour=7))
    again = read_result(tmp_path)
    assert again is not None
    assert again.model_extra == {"colour": 7}


@pytest.mark.parametrize(
    "changes",
    [
        {"last": {"val_accuracy": 0.0}, "best": {"val_accuracy": 1.0, "val_loss": -7.0}},
        {"config": {"a" * KEY_LETTERS: "b" * (VALUE_LETTERS - 2)}},
        {"config": {f"k{number}": number for number in range(KEYS)}},
        {"config": {"hooks": ["mine:stop"]}, "fingerprints": {"code": {"mine.py": "ab"}}},
        {"config": {"model": {"target": "mine:Net"}}, "fingerprints": {"code": {"mine.py": "ab"}}},
        {"config": {"seed": 1}, "identity": "ab" * 32, "versions": {"dlx": "0.0.1"}},
        {"config": {"seed": 1}, "identity": identity({"seed": 1}), "versions": {"dlx": __version__}},
    ],
)
def test_what_a_reader_can_rely_on_is_read(tmp_path: Path, changes: dict[str, object]) -> None:
    write_result(tmp_path, result(**changes))
    again = read_result(tmp_path)
    assert again is not None
    assert again.config == result(**changes).config


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"last": {"val_accuracy": 1.01}}, r"last.val_accuracy: 1.01 is not between 0 and 1"),
        ({"best": {"val_accuracy": -0.01}}, r"best.val_accuracy: -0.01 is not between 0 and 1"),
        ({"config": {"": 1}}, "config: '' is not a key: it is empty, long or has a dot"),
        ({"config": {"model": {"a.b": 1}}}, r"config: 'a.b' is not a key"),
        ({"config": {"a" * (KEY_LETTERS + 1): 1}}, "is not a key"),
        ({"config": {"a": "b" * (VALUE_LETTERS - 1)}}, "the value of 'a' has more than 10,000 letters"),
        ({"config": {"a": {"b": [1] * VALUE_LETTERS}}}, "the value of 'b' has more than 10,000 letters"),
        ({"config": {f"k{number}": number for number in range(KEYS + 1)}}, "config: more than 10,000 keys"),
        ({"config": {"model": {str(n): n for n in range(KEYS)}}}, "config: more than 10,000 keys"),
        ({"config": {"model": 3}}, "config.model: should be a group of keys"),
        ({"config": {"epochs": -1}}, "config.epochs: Input should be greater than or equal to 0"),
        ({"config": {"seed": 1}, "fingerprints": {"code": {"mine.py": "ab"}}}, "but the run has none"),
        ({"config": {"seed": 1}, "versions": {"dlx": __version__}}, "is not the one that was trained"),
    ],
)
def test_what_a_reader_could_not_use_is_refused(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    write_result(tmp_path, result(**changes))
    with pytest.raises(ValueError, match=complaint):
        read_result(tmp_path)


def test_a_long_error_is_cut_short(tmp_path: Path) -> None:
    write_result(tmp_path, result(status="failed", error="x" * 5000))
    again = read_result(tmp_path)
    assert again is not None
    assert again.error == "x" * 1000


def test_what_nobody_set_is_not_written(tmp_path: Path) -> None:
    write_result(tmp_path, result())
    assert not {"fingerprints", "monitor", "metrics"} & set(
        json.loads((tmp_path / "result.json").read_text())
    )
    write_result(tmp_path, result(monitor="val_f1", metrics={"f1": {"higher_is_better": True}}))
    again = read_result(tmp_path)
    assert again is not None
    assert (again.monitored, again.higher_is_better("val_f1"), again.higher_is_better("val_loss")) == (
        "val_f1",
        True,
        False,
    )
    assert (again.higher_is_better("val_mine"), result().monitored) == (None, "val_accuracy")


def test_two_trainings_differ_in_what_changes_the_last_bits() -> None:
    one = result(versions={"torch": "2.10"}, device="cpu", threads=1, cohort=2)
    other = result(versions={"torch": "2.11"}, device="cpu", threads=4, cohort=2)
    assert what_was_different(one, one) == ""
    assert what_was_different(one, other) == "torch: 2.10 then, 2.11 now; threads: 1 then, 4 now"
    assert what_was_different(other, one, "here", "there").startswith("torch: 2.11 here, 2.10 there; ")
