"""Terrain: the box, the levels and bands of height, and the paths, against closed forms for a bowl."""

from typing import Any

import numpy as np
import pytest

from dlx.errors import RequestError
from dlx.report.analysis import Options, analyse
from dlx.report.load import load_study
from dlx.surface.terrain import (
    BANDS,
    FLAT,
    POINTS,
    SIDES,
    STEPS,
    TALL,
    Box,
    Terrain,
    choose_levels,
    survey,
)


def surveyed(study: Any, most: int = 12) -> tuple[dict[str, Terrain], int]:
    return survey(analyse(load_study([study.folder]), Options()), most)


def bowl(places: list[tuple[float, float]]) -> list[float]:
    return [x**2 + y**2 for x, y in places]


def descend(study: Any, slug: str, places: list[tuple[float, float]], **changes: Any) -> None:
    study.descent(slug, places, bowl(places), {"optimizer.lr": float(len(slug))} | changes)


def only(study: Any) -> Terrain:
    ((_, terrain),) = surveyed(study)[0].items()
    return terrain


def halving(steps: int) -> list[tuple[float, float]]:
    return [(3 * 0.5**step, 2 * 0.5**step) for step in range(steps + 1)]


def area(ring: list[list[float]]) -> float:
    """Return a polygon's area, with a sign for its orientation (the shoelace formula)."""
    x, y = np.array(ring).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


def test_the_box_holds_the_path_with_a_margin_at_one_scale(study: Any) -> None:
    descend(study, "a", halving(5))
    box = only(study).box
    assert box.left < 3 / 32 < 3 < box.right
    assert box.bottom < 2 / 32 < 2 < box.top
    assert FLAT - 1e-9 <= box.height / box.width <= TALL + 1e-9
    assert box.width < 1.5 * 3


def test_a_path_that_leaves_for_good_does_not_stretch_the_box(study: Any) -> None:
    descend(study, "a", halving(5))
    alone = only(study).box
    places = [(3.0, 2.0), (-3.5, -2.4), (4.0, 2.9), (-1e30, -1e30), (1e200, 1e200)]
    study.descent("lost", places, [13, 18, 24, 2e60, float("inf")], {"optimizer.lr": 9.0}, "diverged")
    terrain = next(iter(surveyed(study)[0].values()))
    assert terrain.box.width < 4 * alone.width
    ends = terrain.ends.set_index("kind")
    assert ends.loc["end", ["x", "y"]].tolist() == [3 / 32, 2 / 32]
    x, y = ends.loc["left", ["x", "y"]]
    assert min(x - terrain.box.left, y - terrain.box.bottom) == pytest.approx(0, abs=1e-9)  # on its way out
    assert terrain.lines["x"].between(terrain.box.left, terrain.box.right).all()
    assert terrain.lines["y"].between(terrain.box.bottom, terrain.box.top).all()


def test_a_path_that_never_moves_has_room_around_it(study: Any) -> None:
    descend(study, "a", [(0.0, 0.0)] * 3)
    terrain = only(study)
    assert terrain.box.left <= -1
    assert terrain.box.right >= 1
    assert terrain.box.holds(0, 0)


def test_levels_hold_every_height_and_are_short_numbers() -> None:
    height = np.linspace(-1.234567, 98.765, 5000).reshape(50, 100) ** 2
    levels = choose_levels(height)
    assert levels == sorted(set(levels))
    assert len(levels) == BANDS + 1
    assert levels[0] <= height.min()
    assert levels[-1] >= height.max()
    assert all(len(f"{level:.6g}") <= 7 for level in levels)


def test_levels_ignore_values_that_are_not_finite_and_a_plane_has_none() -> None:
    assert choose_levels(np.full((3, 3), 2.0)) == []
    assert choose_levels(np.full((3, 3), np.nan)) == []
    levels = choose_levels(np.array([[np.nan, 1.0, 2.0], [np.inf, 3.0, 4.0]]))
    assert (levels[0], levels[-1]) == (1.0, 4.0)


def test_the_bands_of_a_bowl_are_rings_and_fill_the_box(study: Any) -> None:
    descend(study, "a", [(1.0, 0.0), (-1.0, 0.0), (0.0, 0.0)])
    terrain = only(study)
    box, rings = terrain.box, terrain.bands
    assert len(rings) == len(terrain.levels) - 1
    total = sum(area(ring) for band in rings for polygon in band for ring in polygon)
    assert abs(total) == pytest.approx(box.height / box.width, rel=1e-3)
    ((outline,),) = rings[0]  # one polygon without a hole: the disc below the first level
    radii = [np.hypot(box.left + u * box.width, box.top - v * box.width) for u, v in outline]
    assert np.array(radii) == pytest.approx(terrain.levels[1] ** 0.5, rel=0.01)
    assert len(rings[1][0]) == 2  # around it, a ring: an outline and a hole


def test_where_the_formula_has_no_value_there_is_no_band(study: Any) -> None:
    places = [(2.0, 0.0), (0.1, 0.0)]
    study.descent("a", places, [np.log(2), np.log(0.1)], {"loss.function": "log(x)"})
    terrain = only(study)
    edge = -terrain.box.left / terrain.box.width  # of x = 0, in widths of the box
    xs = [point[0] for band in terrain.bands for polygon in band for ring in polygon for point in ring]
    assert min(xs) >= edge - 1e-4
    assert edge > 0.05


def test_steps_are_marked_on_short_paths_and_long_ones_are_thinned(study: Any) -> None:
    descend(study, "a", halving(STEPS))
    assert len(only(study).steps) == STEPS + 1
    descend(study, "a2", [(3 - i / 1000, 2.0) for i in range(2 * POINTS + 1)])
    terrain = next(iter(surveyed(study)[0].values()))
    assert set(terrain.steps["label"]) == {"lr 1"}
    assert terrain.every == 3
    long = terrain.lines[terrain.lines["label"] == "lr 2"]
    assert len(long) == 2 * POINTS // 3 + 2  # every third, and the last
    assert (long["x"].iloc[0], long["x"].iloc[-1]) == (3, 3 - 2 * POINTS / 1000)


def test_settings_with_the_same_function_share_a_terrain_in_the_tables_order(study: Any) -> None:
    descend(study, "a", halving(3))
    descend(study, "ab", halving(4))
    study.descent("abc", halving(3), [3.0, 2.0, 1.0, 0.5], {"optimizer.lr": 3.0, "loss.function": "x*y/2"})
    terrains, settings = surveyed(study, most=3)
    assert settings == 3
    first, second, third = terrains.values()
    assert first is second
    assert (first.formula, third.formula) == ("x**2 + y**2", "x*y/2")
    assert list(surveyed(study, most=2)[0]) == list(terrains)[:2]


def test_runs_of_other_losses_have_no_terrain(study: Any) -> None:
    study.run("net", study.curve(0.5, 0.6))
    assert surveyed(study) == ({}, 0)
    descend(study, "a", halving(3))
    assert surveyed(study)[1] == 1


def test_a_formula_that_cannot_be_read_is_refused(study: Any) -> None:
    study.descent("a", halving(1), [3.0, 1.0], {"loss.function": "x + nothing"})
    with pytest.raises(RequestError, match="there is no symbol 'nothing'"):
        surveyed(study)


def test_one_setting_gets_the_finer_grid(study: Any) -> None:
    descend(study, "a", halving(3))
    points = sum(len(ring) for band in only(study).bands for polygon in band for ring in polygon)
    descend(study, "ab", halving(3))
    terrain = next(iter(surveyed(study)[0].values()))
    fewer = sum(len(ring) for band in terrain.bands for polygon in band for ring in polygon)
    assert fewer / points == pytest.approx(SIDES[1] / SIDES[0], rel=0.1)


BOX = Box(left=0, right=4, bottom=0, top=2)


def test_a_box_knows_its_size_and_what_it_holds() -> None:
    assert (BOX.width, BOX.height) == (4, 2)
    assert BOX.holds(0, 2)
    assert not BOX.holds(4.1, 1)
    assert not BOX.holds(1, -0.1)


def test_a_path_inside_stays_as_it_is_in_one_piece() -> None:
    path = [(1.0, 1.0), (3.0, 0.5), (3.0, 0.5), (0.1, 1.9)]
    assert BOX.clip(path) == [path]


def test_a_path_is_cut_where_it_leaves_and_where_it_comes_back() -> None:
    path = [(2.0, 1.0), (6.0, 1.0), (6.0, 1.5), (2.0, 1.5), (2.0, 4.0)]
    assert BOX.clip(path) == [[(2, 1), (4, 1)], [(4, 1.5), (2, 1.5), (2, 2)]]


def test_a_step_across_the_box_is_drawn_and_one_past_a_corner_is_not() -> None:
    assert BOX.clip([(-2.0, 0.0), (6.0, 2.0)]) == [[(0, 0.5), (4, 1.5)]]
    assert BOX.clip([(-1.0, 1.5), (1.0, 3.5)]) == []
    assert BOX.clip([(5.0, 0.0), (5.0, 2.0)]) == []
    assert BOX.clip([(1.0, 1.0)]) == []


def test_a_huge_step_leaves_at_the_right_place() -> None:
    ((start, end),) = BOX.clip([(1.0, 1.0), (1e90, 1e90)])
    assert start == (1, 1)
    assert end == pytest.approx((2, 2), rel=1e-12)
