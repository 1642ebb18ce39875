"""Cohorts: runs of equal keys, in even parts, the same every time."""

from dlx.sweep.cohorts import cohorts


def test_equal_keys_go_together_and_none_stays_alone():
    assert cohorts(["a", None, "b", "a", None, "b", "a"], 10) == [[0, 3, 6], [1], [2, 5], [4]]


def test_a_group_is_cut_into_parts_of_even_sizes():
    parts = cohorts(["a"] * 10, 4)
    assert [len(part) for part in parts] == [3, 3, 4]
    assert [place for part in parts for place in part] == list(range(10))


def test_a_width_of_one_leaves_every_run_alone():
    assert cohorts(["a", "a", "b"], 1) == [[0], [1], [2]]


def test_a_key_that_reads_like_a_place_is_no_place():
    assert cohorts([None, 0, 0, ("alone", 0)], 5) == [[0], [1, 2], [3]]
