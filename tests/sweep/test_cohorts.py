"""Cohorts: runs of equal keys, in even parts, the same every time, and written down."""

import pytest

from dlx.sweep.cohorts import COHORTS, divide, record, recorded


def test_equal_keys_go_together_and_none_stays_alone():
    widths = {"a": 10, "b": 10}
    assert divide(["a", None, "b", "a", None, "b", "a"], widths, 1) == [(0, 3, 6), (1,), (2, 5), (4,)]


def test_a_group_is_cut_into_parts_of_even_sizes():
    parts = divide(["a"] * 10, {"a": 4}, 1)
    assert [len(part) for part in parts] == [3, 3, 4]
    assert [place for part in parts for place in part] == list(range(10))


def test_a_width_of_one_leaves_every_run_alone():
    assert divide(["a", "a", "b"], {"a": 1, "b": 1}, 2) == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    ("runs", "width", "processes", "sizes"),
    [
        (16, 16, 2, [8, 8]),
        (6, 4, 2, [3, 3]),
        (5, 8, 2, [2, 3]),
        (2, 8, 4, [1, 1]),
        (20, 4, 3, [3] * 4 + [4] * 2),
    ],
)
def test_every_process_has_as_much_to_do(runs, width, processes, sizes):
    assert sorted(len(part) for part in divide(["a"] * runs, {"a": width}, processes)) == sizes


def test_the_record_keeps_what_other_requests_have_formed(tmp_path):
    assert recorded(tmp_path) == []
    record(tmp_path, [(("a", "b"), 1), (("c",), None)])
    record(tmp_path, [(("d", "e"), 1), (("c",), 1)])
    assert recorded(tmp_path) == [(["a", "b"], 1), (["d", "e"], 1), (["c"], 1)]


def test_a_record_that_cannot_be_read_is_none(tmp_path):
    for text in ("", "[]", '{"cohorts": [{"runs": 3}]}', '{"cohorts"'):
        (tmp_path / COHORTS).write_text(text)
        assert recorded(tmp_path) == []
