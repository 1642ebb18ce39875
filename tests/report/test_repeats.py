"""Of a run that was trained twice one counts, and a reader is told by how much the two differ."""

import pytest

from dlx.report.repeats import find_repeats
from dlx.run.result import Result

SETTINGS = {"optimizer.lr": 0.1, "seed": 0, "threads": 1}


def result(accuracy, status="completed", **more):
    row = {"epoch": 1, "val_accuracy": accuracy, "val_loss": 0.5}
    return Result(status=status, identity="0" * 64, config={}, last=row, best=row, **more)


def test_equal_copies_are_left_out_in_few_words():
    found = find_repeats(
        {"one/a": result(0.75), "two/a": result(0.75)}, {"one/a": SETTINGS, "two/a": SETTINGS}
    )
    assert found.left_out == {"two/a": "the same settings and seeds as one/a"}
    assert found.sentence == ""


def test_a_copy_with_other_numbers_is_named_with_both_and_what_was_different():
    results = {"two/a": result(0.8088, cohort=2), "six/a": result(0.8182, cohort=6, threads=2)}
    found = find_repeats(results, {"two/a": SETTINGS, "six/a": SETTINGS | {"threads": 2}})
    assert found.left_out == {
        "six/a": "the same settings and seeds as two/a, which is used: validation accuracy 0.8182 here, "
        "0.8088 there (threads: 2 here, None there; runs in its stack: 6 here, 2 there)"
    }
    assert found.sentence == (
        "1 run was trained twice, with numbers that differ by up to 0.94 points of validation accuracy. "
        "One of each counts; the list of runs left out names both."
    )


def test_the_better_status_is_used():
    results = {"a": result(None, "failed"), "b": result(0.5)}
    assert list(find_repeats(results, {"a": SETTINGS, "b": SETTINGS}).left_out) == ["a"]


@pytest.mark.parametrize("key", ["seed", "optimizer.lr"])
def test_other_settings_or_seeds_are_no_copies(key):
    results = {"a": result(0.5), "b": result(0.6)}
    assert not find_repeats(results, {"a": SETTINGS, "b": SETTINGS | {key: 7}}).left_out
