"""evaluations.csv is written whole, loses no look to another process, and outlives a full disk."""

from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from dlx.run.evaluations import COLUMNS, Evaluation, append_evaluation, read_evaluations
from dlx.study.lock import Lock


def look(epoch: int, accuracy: float | None = 0.5) -> Evaluation:
    return Evaluation("2026-01-01T00:00:00+00:00", "test", 10, epoch, 0.1, accuracy, "ab", 1)


@pytest.mark.parametrize("torn", ["", "time,spl", ",".join(COLUMNS), ",".join(COLUMNS) + "\n"])
def test_a_file_that_a_full_disk_left_empty_or_without_rows_is_mended(tmp_path: Path, torn: str) -> None:
    (tmp_path / "evaluations.csv").write_text(torn)
    assert read_evaluations(tmp_path) == []
    append_evaluation(tmp_path, look(1))
    assert read_evaluations(tmp_path) == [look(1)]


def test_a_row_that_is_cut_short_does_not_count_and_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.csv"
    append_evaluation(tmp_path, look(1, None))
    append_evaluation(tmp_path, look(2))
    path.write_bytes(path.read_bytes()[:-5])
    assert read_evaluations(tmp_path) == [look(1, None)]
    append_evaluation(tmp_path, look(3))
    assert read_evaluations(tmp_path) == [look(1, None), look(3)]
    assert path.read_text().count("\n") == 3


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_an_accuracy_may_be_none_or_all(tmp_path: Path, accuracy: float) -> None:
    append_evaluation(tmp_path, look(1, accuracy))
    assert read_evaluations(tmp_path) == [look(1, accuracy)]


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.5", "-0.5"), ("0.5", "1.5"), (",10,", f",{'9' * 400},"), (",10,", ",-1,"), (",ab", "")],
)
def test_a_wrong_value_is_refused_by_name(tmp_path: Path, old: str, new: str) -> None:
    append_evaluation(tmp_path, look(1))
    path = tmp_path / "evaluations.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=r"evaluations\.csv: "):
        read_evaluations(tmp_path)


def _append(folder: Path, first: int) -> None:
    for epoch in range(first, first + 10):
        with Lock(folder / ".lock").waited_for():
            append_evaluation(folder, look(epoch))


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    context = get_context("fork")
    others = [context.Process(target=_append, args=(tmp_path, first)) for first in (0, 10)]
    for each in others:
        each.start()
    for each in others:
        each.join()
    assert sorted(each.epoch for each in read_evaluations(tmp_path)) == list(range(20))
    assert [path.name for path in tmp_path.iterdir()] == ["evaluations.csv"]


def test_metrics_are_further_columns_and_older_looks_have_none(tmp_path: Path) -> None:
    append_evaluation(tmp_path, replace(look(1), metrics={}))
    append_evaluation(tmp_path, replace(look(1), metrics={"f1_macro": 0.5, "kappa": None}))
    first, second = read_evaluations(tmp_path)
    assert (tmp_path / "evaluations.csv").read_text().splitlines()[0].endswith("chosen_from,f1_macro,kappa")
    assert first.metrics == {"f1_macro": None, "kappa": None}
    assert second.metrics == {"f1_macro": 0.5, "kappa": None}
