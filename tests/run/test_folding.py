"""Which runs are folds, how the samples were divided, and which runs are on the same fold."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from dlx.errors import RequestError
from dlx.run.folds import Folding, check_folds, find_folding, folds_to_run, unit_of_fold


def fold(number: int, folds: int | None = 5, repeat: int | None = None, split: int = 0) -> dict[str, Any]:
    values: dict[str, Any] = {"data.fold": number, "data.split_seed": split, "data.repeat": repeat}
    return values | ({} if folds is None else {"data.folds": folds})


@pytest.mark.parametrize(
    ("folding", "text", "total", "overlap"),
    [
        (Folding((5,), 1), "5-fold", 5, 1 / 4),
        (Folding((10,), 2), "2 times 10-fold", 20, 1 / 9),
        (Folding((3, 5), 1), "3- or 5-fold", 0, 1 / 2),
        (Folding((3, 5), 4), "4 times 3- or 5-fold", 0, 1 / 2),
        (Folding((2,), 3), "3 times 2-fold", 6, 1.0),
    ],
)
def test_how_samples_are_divided_in_words_and_numbers(
    folding: Folding, text: str, total: int, overlap: float
) -> None:
    assert str(folding) == text
    assert folding.total == total
    assert folding.overlap == overlap


def test_runs_that_are_no_folds_have_no_folding() -> None:
    assert find_folding([]) is None
    assert find_folding([{"seed": 1}, {"data.fold": None}]) is None
    assert find_folding([{"seed": 1}, fold(0)]) == Folding((5,), 1)


@pytest.mark.parametrize(
    ("runs", "folding"),
    [
        ([fold(0), fold(1)], Folding((5,), 1)),
        ([fold(0, 3), fold(0, 5), fold(1, 3)], Folding((3, 5), 1)),
        ([fold(0, repeat=0), fold(0, repeat=1), fold(1, repeat=1)], Folding((5,), 2)),
        ([fold(0, split=0), fold(0, split=7)], Folding((5,), 2)),
        ([fold(number, None) for number in (0, 1, 2, 2)], Folding((3,), 1)),  # a table does not say how many
        ([fold(0, None)], Folding((2,), 1)),
    ],
)
def test_folds_are_counted_with_their_repeats(runs: list[dict[str, Any]], folding: Folding) -> None:
    assert find_folding(runs) == folding


def test_runs_on_the_same_samples_are_on_the_same_fold() -> None:
    first = fold(0) | {"optimizer.lr": 0.1}
    assert unit_of_fold({"seed": 1}) is None
    assert unit_of_fold(first) == unit_of_fold(fold(0) | {"optimizer.lr": 0.2, "seed": 4})
    others = [fold(1), fold(0, 4), fold(0, repeat=1), fold(0, split=1)]
    assert len({unit_of_fold(each) for each in (first, *others)}) == 5


@pytest.mark.parametrize(
    ("data", "runs"),
    [
        ({}, []),
        ({"folds": None, "fold": 2}, []),
        ({"folds": 3}, [(1, 1), (1, 2), (1, 3)]),
        ({"folds": 2, "repeats": 2}, [(1, 1), (1, 2), (2, 1), (2, 2)]),
        ({"folds": 3, "repeats": 2, "fold": 3}, [(1, 3), (2, 3)]),
        ({"folds": 2, "repeats": 3, "repeat": 2}, [(2, 1), (2, 2)]),
        ({"folds": 2, "repeats": 3, "repeat": 2, "fold": 1}, [(2, 1)]),
    ],
)
def test_every_fold_of_every_repeat_is_a_run(data: dict[str, Any], runs: list[tuple[int, int]]) -> None:
    assert [(each["repeat"], each["fold"]) for each in folds_to_run(data)] == runs


def asked(**changes: Any) -> SimpleNamespace:
    given = {"folds": 5, "repeats": 1, "fold": None, "repeat": None, "name": "digits", "val_from": "train"}
    return SimpleNamespace(**(given | {"split_seed": 0} | changes))


@pytest.mark.parametrize(
    "changes",
    [{}, {"folds": None}, {"fold": 5}, {"fold": 1}, {"repeats": 3, "repeat": 3}, {"split_seed": None}],
)
def test_folds_that_can_be(changes: dict[str, Any]) -> None:
    check_folds(asked(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"folds": None, "repeats": 2}, "data.repeats=2: needs folds, such as data.folds=5"),
        ({"folds": None, "fold": 1}, "data.fold=1: needs folds, such as data.folds=5"),
        ({"folds": None, "repeat": 1}, "data.repeat=1: needs folds, such as data.folds=5"),
        ({"fold": 6}, "data.fold=6: must be from 1 to 5 (data.folds=5)"),
        ({"repeats": 2, "repeat": 3}, "data.repeat=3: must be from 1 to 2 (data.repeats=2)"),
        ({"name": "surface"}, "data.folds=5: a surface has no samples to divide"),
        ({"val_from": "test"}, "data.folds=5: does not go with data.val_from=test"),
        (
            {"repeats": 2, "split_seed": None},
            "data.repeats=2: without a seed every repeat has the same folds",
        ),
    ],
)
def test_folds_that_cannot_be_are_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=re.escape(said)):
        check_folds(asked(**changes))
