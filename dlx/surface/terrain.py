"""The data of a surface's plot: a part of the plane, its bands of height and the paths of the runs.

Axes: H rows of the grid (y), W columns (x).
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dlx.surface.formula import Formula, surface_formula

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

Grid = NDArray[np.float64]
XY = tuple[float, float]
Ring = list[list[float]]  # points
Polygon = list[Ring]  # an outline, then its holes

SIDES = (121, 81)  # grid points along each axis: for a single panel of 440 pixels, for several of 216
BANDS = 12
BEND = 1.5  # 1: bands of equal area; above 1: smaller low bands, so that valleys can be seen
LARGEST = 1e100  # coordinate; the squares of larger ones overflow
FAR = 100  # widths of the box: a path is cut there, because crossings computed from further away are inexact
POINTS = 1000  # per path; longer ones are thinned
STEPS = 60  # marked on a path; a longer one is drawn only as a line
MARGIN = 0.12  # of the box, on each side
TALL, FLAT = 1.1, 0.6  # bounds on the ratio of height to width


@dataclass(frozen=True)
class Box:
    """The part of the plane that is shown, at one scale for x and y."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def width(self) -> float:
        """Return the length of the x axis."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Return the length of the y axis."""
        return self.top - self.bottom

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point lies inside."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def clip(self, path: list[XY]) -> list[list[XY]]:
        """Return the pieces of a path that lie inside, cut where it crosses the edge."""
        pieces: list[list[XY]] = []
        for start, end in pairwise(path):
            part = self._inside(start, end)
            if part is None:
                continue
            first, last = (_between(start, end, share) for share in part)
            if not pieces or pieces[-1][-1] != first:
                pieces.append([first])
            pieces[-1].append(last)
        return pieces

    def _inside(self, start: XY, end: XY) -> tuple[float, float] | None:
        """Return where a line enters and leaves the box, as fractions of its length; None if it misses it.

        Liang and Barsky, "A new concept and method for line clipping", 1984.
        """
        low, high = 0.0, 1.0
        sides = ((self.left, self.right), (self.bottom, self.top))
        for a, b, (least, most) in zip(start, end, sides, strict=True):
            if a == b:
                if not least <= a <= most:
                    return None
                continue
            first, last = sorted(((least - a) / (b - a), (most - a) / (b - a)))
            low, high = max(low, first), min(high, last)
        return (low, high) if low < high else None


def _between(start: XY, end: XY, share: float) -> XY:
    if share in (0, 1):  # exactly, so that pieces join
        return end if share else start
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


@dataclass(frozen=True)
class Terrain:
    """A surface and the paths of the runs on it.

    `levels`: ascending heights. `bands`: for each pair of neighbouring levels, a list of polygons in widths
    of the box from its top left corner. Both are empty if f is the same everywhere.
    `lines`: columns `label piece order x y`, the parts of the paths inside the box, one step in `every`.
    `steps`: `label x y`, the points inside the box of the paths of at most STEPS steps.
    `ends`: `label kind x y`, the "start" of each path, and its "end" or, if that is outside or not finite,
    the last point inside ("left").
    """

    formula: str
    box: Box
    levels: list[float]
    bands: list[list[Polygon]]
    lines: pd.DataFrame
    steps: pd.DataFrame
    ends: pd.DataFrame
    every: int


def survey(analysis: "Analysis", most: int) -> tuple[dict[str, Terrain], int]:
    """Return the terrains of the first `most` settings on a surface, and the number of such settings.

    The terrains are by label, best setting first; settings with the same function share one. Raises
    RequestError for a function that is neither a known name nor a formula.
    """
    points = _points(analysis)
    present = set(points["label"])
    on_surface = [label for label in analysis.summary.table["label"] if label in present]
    shown = on_surface[:most]
    terrains: dict[str, Terrain] = {}
    for function, part in points[points["label"].isin(shown)].groupby("function", sort=False):
        terrain = _terrain(surface_formula(str(function)), part, SIDES[len(shown) > 1])
        terrains |= dict.fromkeys(part["label"].unique(), terrain)
    return {label: terrains[label] for label in shown}, len(on_surface)


def _points(analysis: "Analysis") -> pd.DataFrame:
    """Return columns `run epoch x y height function label whole`: the finite points of runs on a surface.

    `whole` says whether the last point of the run is among them.
    """
    columns = {"run": "run", "epoch": "epoch", "x": "x", "y": "y", "val_loss": "height"}
    data, design = analysis.data, analysis.design
    functions = {
        run: values["loss.function"]
        for run, values in data.settings.items()
        if values.get("loss.name") == values.get("data.name") == "surface"
    }
    # Without such runs, the histories are not read; that would take a second for 2000 runs.
    histories = data.histories if functions else data.histories.iloc[:0]
    # `reindex`, because a study of other runs has no columns x and y.
    points = (
        histories[histories["run"].isin(functions)].reindex(columns=list(columns)).rename(columns=columns)
    )
    numbers = points[["x", "y", "height"]].astype("float64")
    run = points["run"]
    finite = (numbers.abs() < LARGEST).all(axis="columns").groupby(run).cummin()
    points = points.assign(
        x=numbers["x"],
        y=numbers["y"],
        height=numbers["height"],
        function=run.map(functions),
        label=run.map(design.of_run).map(dict(enumerate(design.labels))),
        whole=finite.groupby(run).transform("all"),
    )
    return points[finite]


def _terrain(height: Formula, points: pd.DataFrame, side: int) -> Terrain:
    box = _frame(points)
    x_W, y_H = np.linspace(box.left, box.right, side), np.linspace(box.bottom, box.top, side)
    x_HW, y_HW = np.meshgrid(x_W, y_H)
    with np.errstate(all="ignore"):
        height_HW = np.broadcast_to(height(x_HW, y_HW, np), x_HW.shape)
    levels = choose_levels(height_HW)
    points = _until_lost(points, box)
    # Odd, so that a path that swings from side to side shows both sides.
    every = int(points["epoch"].max()) // POINTS | 1
    lines, steps, ends = _paths(points, box, every)
    return Terrain(height.text, box, levels, _bands(box, height_HW, levels), lines, steps, ends, every)


def _frame(points: pd.DataFrame) -> Box:
    """Choose a box that holds the start and the lowest point of every run, and the points near them.

    If it held all points, one path that leaves would squeeze the others into a corner.
    """
    runs = points.groupby("run")
    core = points.loc[[*runs["epoch"].idxmin(), *runs["height"].idxmin()], ["x", "y"]]
    low, high = core.min(), core.max()
    span = float((high - low).max())
    if not span:  # no step went down
        span = max(1.0, float(core.abs().max().max()) / 2)
        low, high = low - span, high + span
    near = points[["x", "y"]]
    near = near[((near >= low - span) & (near <= high + span)).all(axis="columns")]
    low, high = low.combine(near.min(), min), high.combine(near.max(), max)
    width, height = ((1 + 2 * MARGIN) * float(high[axis] - low[axis]) for axis in ("x", "y"))
    width, height = max(width, height / TALL), max(height, width * FLAT)
    x, y = (float(low[axis] + high[axis]) / 2 for axis in ("x", "y"))
    return Box(x - width / 2, x + width / 2, y - height / 2, y + height / 2)


def _until_lost(points: pd.DataFrame, box: Box) -> pd.DataFrame:
    """Cut each path after its first point that is FAR away."""
    x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
    far = ((points["x"] - x).abs() > FAR * box.width) | ((points["y"] - y).abs() > FAR * box.width)
    return points[far.astype("int64").groupby(points["run"]).cumsum() - far == 0]


def choose_levels(height_HW: Grid) -> list[float]:
    """Return ascending heights that enclose those of the grid, for about BANDS bands; [] if all are equal.

    They are quantiles, because on a surface that rises to 1e4 at the edge, equal steps would show only the
    edge. To be readable, they are rounded to a tenth of the step to the next one.
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
    """Return the polygons between neighbouring levels (see Terrain)."""
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
    # contourpy's bands do not include their lower level, but the first one must include the lowest height.
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


def _paths(points: pd.DataFrame, box: Box, every: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the lines, steps and ends of a Terrain."""
    lines: list[tuple[str, int, int, float, float]] = []
    ends: list[tuple[str, str, float, float]] = []
    for _, run in points.groupby("run", sort=False):
        label = run["label"].iloc[0]
        thin = run[(run["epoch"] % every == 0) | (run["epoch"] == run["epoch"].max())]
        path = list(zip(thin["x"], thin["y"], strict=True))
        pieces = box.clip(path)
        arrived = bool(run["whole"].all()) and box.holds(*path[-1])
        last = path[-1] if arrived or not pieces else pieces[-1][-1]
        ends += [(label, "start", *path[0]), (label, "end" if arrived else "left", *last)]
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
