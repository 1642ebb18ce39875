"""Runs on a surface f(x, y) -> the part of the plane to show, its bands of height, the paths through it.

Axes: H rows of the grid (y), W columns (x).
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlx.expression import Expression
from dlx.report.box import Box, inside
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.surfaces import surface

if TYPE_CHECKING:
    import pandas as pd

Grid = NDArray[np.float64]
Ring = list[list[float]]  # of points
Polygon = list[Ring]  # an outline, and the holes in it

SIDES = (121, 81)  # points of the grid along each axis, for the only panel of 440 pixels, for many of 216
BANDS = 12
BEND = 1.5  # 1: bands of equal area; above, the low ones are smaller, so that a valley shows
LARGEST = 1e100  # of a coordinate; beyond, squares overflow
FAR = 100  # widths of the box; from there a path is lost, and crossings computed from there would be too
POINTS = 1000  # of a path; a longer one is thinned
STEPS = 60  # that are marked one by one; of a longer path there is the line alone
MARGIN = 0.12  # of the box, on each side of what it must hold
TALL, FLAT = 1.1, 0.6  # height by width of a box, at most and at least


@dataclass(frozen=True)
class Terrain:
    """A surface and the paths of the runs on it.

    `levels`: ascending heights; between each two lies one of `bands`, a list of polygons in widths of the box
    from its top left corner. There are none if f is the same everywhere.
    `lines`: columns `label piece order x y`, what of the paths is inside the box; `every` step is a point.
    `steps`: `label x y`, where a path of at most STEPS stood after each, if inside.
    `ends`: `label kind x y`, of each path the start, and the end or, if that is outside or nowhere, where the
    path was last inside ("left").
    """

    formula: str
    box: Box
    levels: list[float]
    bands: list[list[Polygon]]
    lines: "pd.DataFrame"
    steps: "pd.DataFrame"
    ends: "pd.DataFrame"
    every: int


def survey(study: StudyData, layout: Design, labels: list[str], most: int) -> tuple[dict[str, Terrain], int]:
    """Return the terrain of each of the first `most` settings that descended a surface, and how many did.

    In the order of `labels`; settings of one function share a terrain. Raises RequestError for a function
    that is neither known by name nor a formula.
    """
    points = _points(study, layout)
    on_surface = [label for label in labels if label in set(points["label"])]
    shown = on_surface[:most]
    found: dict[str, Terrain] = {}
    for function, part in points[points["label"].isin(shown)].groupby("function", sort=False):
        terrain = _terrain(surface(str(function)), part, SIDES[len(shown) > 1])
        found |= {label: terrain for label in shown if label in set(part["label"])}
    return {label: found[label] for label in shown}, len(on_surface)


def _points(study: StudyData, layout: Design) -> "pd.DataFrame":
    """Return columns `run epoch x y height function label whole`, the finite points of runs on a surface.

    `whole` says that the run's last point is among them.
    """
    columns = {"run": "run", "epoch": "epoch", "x": "x", "y": "y", "val_loss": "height"}
    functions = {
        run: values["loss.function"]
        for run, values in study.settings.items()
        if values.get("loss.name") == values.get("data.name") == "surface"
    }
    # Without such a run nobody looks through all histories, which takes a second of 2000 runs.
    histories = study.histories if functions else study.histories.iloc[:0]
    # A study of other runs has no columns x and y.
    descents = histories[histories["run"].isin(functions)]
    points = descents.reindex(columns=list(columns)).rename(columns=columns)
    numbers = points[["x", "y", "height"]].astype("float64")
    finite = (numbers.abs() < LARGEST).all(axis="columns").groupby(points["run"]).cummin()
    run = points["run"]
    points = points.assign(
        x=numbers["x"],
        y=numbers["y"],
        height=numbers["height"],
        function=run.map(functions),
        label=run.map(layout.of_run).map(dict(enumerate(layout.labels))),
        whole=finite.groupby(run).transform("all"),
    )
    return points[finite]


def _terrain(height: Expression, points: "pd.DataFrame", side: int) -> Terrain:
    box = frame(points)
    x_W, y_H = np.linspace(box.left, box.right, side), np.linspace(box.bottom, box.top, side)
    x_HW, y_HW = np.meshgrid(x_W, y_H)
    with np.errstate(all="ignore"):
        height_HW = np.broadcast_to(height(x_HW, y_HW, np), x_HW.shape)
    levels = choose_levels(height_HW)
    points = _until_lost(points, box)
    every = int(points["epoch"].max()) // POINTS | 1  # odd, so that a path from side to side still shows both
    lines, steps, ends = _paths(points, box, every)
    return Terrain(height.text, box, levels, _bands(box, height_HW, levels), lines, steps, ends, every)


def frame(points: "pd.DataFrame") -> Box:
    """Choose the box: it holds the start and the lowest point of every run, and what is not far from these.

    A path that swings out, or leaves for good, would otherwise press all others into a corner.
    """
    runs = points.groupby("run")
    core = points.loc[[*runs["epoch"].idxmin(), *runs["height"].idxmin()], ["x", "y"]]
    low, high = core.min(), core.max()
    span = float((high - low).max())
    if not span:  # no step led down
        span = max(1.0, float(core.abs().max().max()) / 2)
        low, high = low - span, high + span
    near = points[["x", "y"]]
    near = near[((near >= low - span) & (near <= high + span)).all(axis="columns")]
    low, high = low.combine(near.min(), min), high.combine(near.max(), max)
    width, height = ((1 + 2 * MARGIN) * float(high[axis] - low[axis]) for axis in ("x", "y"))
    width, height = max(width, height / TALL), max(height, width * FLAT)
    x, y = (float(low[axis] + high[axis]) / 2 for axis in ("x", "y"))
    return Box(x - width / 2, x + width / 2, y - height / 2, y + height / 2)


def _until_lost(points: "pd.DataFrame", box: Box) -> "pd.DataFrame":
    """Cut each path after its first point that is FAR away."""
    x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
    far = ((points["x"] - x).abs() > FAR * box.width) | ((points["y"] - y).abs() > FAR * box.width)
    return points[far.astype("int64").groupby(points["run"]).cumsum() - far == 0]


def choose_levels(height_HW: Grid) -> list[float]:
    """Return ascending heights from below the lowest of the grid to above the highest, for about BANDS bands.

    Quantiles: of a surface that climbs to 1e4 at the edge, equal steps would show the edge alone. Rounded to
    a tenth of the step to the next one, so that they can be read.
    """
    finite = height_HW[np.isfinite(height_HW)]
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, BANDS + 1) ** BEND)) if finite.size else finite
    if len(levels) < 2:
        return []
    steps = np.diff(levels)
    unit = 10.0 ** (np.floor(np.log10(np.minimum([*steps, steps[-1]], [steps[0], *steps]))) - 1)
    counts = np.array([np.floor, *[np.round] * (len(levels) - 2), np.ceil])
    return [float(count(level / one) * one) for count, level, one in zip(counts, levels, unit, strict=True)]


def _bands(box: Box, height_HW: Grid, levels: list[float]) -> list[list[Polygon]]:
    """Return the polygons between each two levels (see Terrain)."""
    from contourpy import FillType, contour_generator

    if not levels:
        return []
    height, width = height_HW.shape
    contours = contour_generator(
        np.linspace(0, 1, width),
        np.linspace(box.height / box.width, 0, height),
        np.ma.masked_invalid(height_HW),
        fill_type=FillType.OuterOffset,
    )
    # A height belongs to the band that ends with it, and the lowest of all to the first.
    bounds = [math.nextafter(levels[0], -math.inf), *levels[1:]]
    bands = []
    for low, high in pairwise(bounds):
        polygons: Any = contours.filled(low, high)
        bands.append(
            [
                [np.round(points[a:b], 4).tolist() for a, b in pairwise(starts.tolist())]
                for points, starts in zip(*polygons, strict=True)
            ]
        )
    return bands


def _paths(points: "pd.DataFrame", box: Box, every: int) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    """Return the lines, steps and ends of a Terrain."""
    import pandas as pd

    lines: list[tuple[str, int, int, float, float]] = []
    ends: list[tuple[str, str, float, float]] = []
    for _, run in points.groupby("run", sort=False):
        label = run["label"].iloc[0]
        thin = run[(run["epoch"] % every == 0) | (run["epoch"] == run["epoch"].max())]
        places = list(zip(thin["x"], thin["y"], strict=True))
        pieces = inside(places, box)
        arrived = bool(run["whole"].all()) and box.holds(*places[-1])
        last = places[-1] if arrived or not pieces else pieces[-1][-1]
        ends += [(label, "start", *places[0]), (label, "end" if arrived else "left", *last)]
        for piece in pieces:
            number = len(lines)
            lines += [(label, number, order, x, y) for order, (x, y) in enumerate(piece)]
    few = points[points.groupby("run")["epoch"].transform("size") <= STEPS + 1]
    seen = [box.holds(x, y) for x, y in zip(few["x"], few["y"], strict=True)]
    return (
        pd.DataFrame(lines, columns=["label", "piece", "order", "x", "y"]),
        few.loc[seen, ["label", "x", "y"]],
        pd.DataFrame(ends, columns=["label", "kind", "x", "y"]),
    )
