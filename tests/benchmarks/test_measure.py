"""Turns, failures, medians and bounds."""

import logging

import pytest

from tests.benchmarks.measure import Samples, interleave, ratio
from tests.benchmarks.section import Claim, Worst


def test_each_round_begins_with_the_next_contestant():
    turns = []
    contestants = {name: lambda name=name: turns.append(name) or {"wall": 1.0} for name in "abc"}
    interleave(contestants, 3, lambda name, what: None)
    assert "".join(turns) == "abcbcacab"


def test_a_failure_is_logged_and_the_others_go_on(caplog):
    def fails():
        raise OSError("no such luck\nand more")

    with caplog.at_level(logging.ERROR):
        measured = interleave({"a": fails, "b": lambda: {"wall": 2.0}}, 2, lambda name, what: None)
    assert measured["a"].error == "OSError: no such luck"
    assert measured["a"].median("wall") is None
    assert measured["b"].seconds == {"wall": [2.0, 2.0]}
    assert len(caplog.records) == 1  # it was not tried again
    assert caplog.records[0].exc_info is not None


MEASURED = {
    "ours": Samples({"wall": [1.0, 2.0, 9.0]}),
    "theirs": Samples({"wall": [18.0, 20.0, 30.0]}),
    "other": Samples({"wall": [4.0]}),
    "broken": Samples({"wall": [1.0]}, error="OSError: no"),
}


@pytest.mark.parametrize(
    ("claim", "reached", "holds"),
    [
        (Claim("", ("theirs", "wall"), [("ours", "wall")], 10, at_most=False), 10.0, True),
        (Claim("", ("theirs", "wall"), [("ours", "wall")], 11, at_most=False), 10.0, False),
        (Claim("", ("theirs", "wall"), [("ours", "wall")], 18, at_most=False, fastest=True), 18.0, True),
        (Claim("", ("ours", "wall"), [("theirs", "wall")], 0.1), 0.1, True),
        (Claim("", ("theirs", "wall"), [("other", "wall"), ("ours", "wall")], 10), 10.0, True),
        (Claim("", ("theirs", "wall"), [("ours", "wall"), ("broken", "wall")], 10), None, None),
        (Claim("", ("ours", "wall"), [], 1.9), 2.0, False),
        (Claim("", ("broken", "wall"), [("ours", "wall")], 1), None, None),
        (Claim("", ("ours", "training"), [], 1), None, None),
        (Claim("", ("absent", "wall"), [], 1), None, None),
    ],
)
def test_a_bound_holds_of_medians_and_of_nothing_that_was_not_measured(claim, reached, holds):
    assert claim.reached(MEASURED) == reached
    assert claim.holds(MEASURED) is holds


def test_nothing_is_divided_by_zero():
    assert ratio(1.0, 0.0) is None


def test_of_several_bounds_the_worst_decides_and_is_named():
    parts = {name: Claim("", (name, "wall"), [("ours", "wall")], 5) for name in ("other", "theirs")}
    worst = Worst("all", parts)
    assert worst.reached(MEASURED) == 10.0
    assert worst.holds(MEASURED) is False
    assert worst.says(MEASURED) == "all; the worst: theirs"
    parts["theirs"] = Claim("", ("theirs", "wall"), [("ours", "wall")], 5, at_most=False)
    parts["other"] = Claim("", ("other", "wall"), [("ours", "wall")], 5, at_most=False)
    assert Worst("all", parts).says(MEASURED) == "all; the worst: other"


def test_several_bounds_with_one_not_measured_are_not_measured():
    parts = {name: Claim("", (name, "wall"), [], 5) for name in ("ours", "broken")}
    worst = Worst("all", parts)
    assert (worst.reached(MEASURED), worst.holds(MEASURED), worst.unit) == (None, None, " s")
    assert worst.says(MEASURED) == "all"
