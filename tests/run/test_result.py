"""result.json is plain JSON in which NaN is null."""

import json
import math
from pathlib import Path

import pytest

from dlx.run.result import Result, read_result, write_result


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
