"""What of a path lies in a box: cut where it crosses the edge, whole where it does not."""

import pytest

from dlx.report.box import Box, inside

BOX = Box(left=0, right=4, bottom=0, top=2)


def test_a_box_knows_its_size_and_what_it_holds() -> None:
    assert (BOX.width, BOX.height) == (4, 2)
    assert BOX.holds(0, 2)
    assert not BOX.holds(4.1, 1)
    assert not BOX.holds(1, -0.1)


def test_a_path_inside_stays_as_it_is_in_one_piece() -> None:
    path = [(1.0, 1.0), (3.0, 0.5), (3.0, 0.5), (0.1, 1.9)]
    assert inside(path, BOX) == [path]


def test_a_path_is_cut_where_it_leaves_and_where_it_comes_back() -> None:
    path = [(2.0, 1.0), (6.0, 1.0), (6.0, 1.5), (2.0, 1.5), (2.0, 4.0)]
    assert inside(path, BOX) == [[(2, 1), (4, 1)], [(4, 1.5), (2, 1.5), (2, 2)]]


def test_a_step_right_across_is_seen_and_one_past_a_corner_is_not() -> None:
    assert inside([(-2.0, 0.0), (6.0, 2.0)], BOX) == [[(0, 0.5), (4, 1.5)]]
    assert inside([(-1.0, 1.5), (1.0, 3.5)], BOX) == []
    assert inside([(5.0, 0.0), (5.0, 2.0)], BOX) == []
    assert inside([(1.0, 1.0)], BOX) == []


def test_a_huge_step_leaves_at_the_right_place() -> None:
    ((start, end),) = inside([(1.0, 1.0), (1e90, 1e90)], BOX)
    assert start == (1, 1)
    assert end == pytest.approx((2, 2), rel=1e-12)
