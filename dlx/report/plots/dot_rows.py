"""Rows of dots with intervals below the headings of their groups; the mean of each row as text beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx.report.charts import Spec
from dlx.report.curves import Axis
from dlx.report.plots.panels import metric_axis
from dlx.report.plots.style import (
    COLOURS,
    HALO,
    INK,
    OF_PICKED,
    PICKED,
    layer,
    layered,
    nominal,
    row_axis,
    tooltip,
)

STEP = 21  # pixels of a row
WIDTH = 960  # of a row with its name
PALE, FAINT = 0.35, 0.5  # opacity of the picked setting's own interval, and of single runs
COLOUR_OF = {"best": COLOURS[0], "undecided": COLOURS[0], "worse": COLOURS[1], "untested": INK}


@dataclass(frozen=True)
class Rows:
    """The rows of the picture.

    `settings`: columns `label group mean low high text tooltip`, by group and then best first; `low` and
    `high` are NaN without an interval. `runs`: columns `label group value`, the completed runs of these
    settings. `headings`: by group, in order; {} if nothing was tested. `more`: what is not drawn, or "".
    """

    settings: pd.DataFrame
    runs: pd.DataFrame
    headings: dict[str, str]
    more: str


def dots(rows: Rows, axis: Axis, title: str, description: str) -> Spec:
    """Draw the rows; values beyond the axis are arrows at its edge."""
    settings = rows.settings
    # Names of the rows without a setting; the axis shows them as nothing.
    blanks = {group: " " * place for place, group in enumerate([*rows.headings, "more"], start=1)}
    lines = row_axis(settings["label"].tolist(), 300)
    width = WIDTH - lines["minExtent"]
    lines |= {
        "labelPadding": 8,
        "grid": True,
        "gridOpacity": {"condition": {"test": "trim(datum.value) == ''", "value": 0}, "value": 1},
    }
    y = nominal("label") | {"scale": {"domain": _places(rows, blanks)}, "axis": lines}
    groups = [group for group in COLOUR_OF if group in set(settings["group"])]
    scale = {"domain": groups, "range": [COLOUR_OF[group] for group in groups]}
    encoding = {"y": y, "color": nominal("group") | {"scale": scale, "legend": None}}
    x = metric_axis(axis, title)
    layers = [
        *_runs(rows.runs, axis, x, encoding),
        *_intervals(settings, axis, x, encoding),
        *_means(settings, axis, x, encoding),
        *_texts(rows, blanks, y),
    ]
    return layered(description, width, {"step": STEP}, layers, {"name": PICKED, "value": []})


def _places(rows: Rows, blanks: Mapping[str, str]) -> list[str]:
    """Return the names of the rows from top to bottom: a heading, its settings, and so on."""
    places: list[str] = []
    for group, part in rows.settings.groupby("group", sort=False):
        places += [blanks[str(group)]] if group in rows.headings else []
        places += part["label"].tolist()
    return [*places, *([blanks["more"]] if rows.more else [])]


def _runs(runs: pd.DataFrame, axis: Axis, x: Spec, encoding: Spec) -> list[Spec]:
    """Return the layers of single runs, just below the line of their setting; none if each has only one."""
    if not runs["label"].duplicated().any():
        return []
    inside = runs["value"].between(axis.low, axis.high)
    runs = runs.assign(value=runs["value"].clip(axis.low, axis.high))
    at = {"x": x | {"field": "value"}, "opacity": _seen(FAINT)} | encoding
    dot = {"type": "point", "filled": True, "size": 16, "yOffset": 6}
    beyond = dot | {"shape": _arrow(axis, runs.loc[~inside, "value"]), "size": 30}
    return [layer(runs[inside], dot, at), layer(runs[~inside], beyond, at)]


def _intervals(settings: pd.DataFrame, axis: Axis, x: Spec, encoding: Spec) -> list[Spec]:
    """Return the layers of intervals: that of the setting that was picked is paler."""
    spans = settings[np.isfinite(settings["low"])]
    ends = spans[["low", "high"]].clip(axis.low, axis.high)
    spans = spans.assign(low=ends["low"], high=ends["high"])
    picked = spans["group"].eq("best") & ~spans["group"].duplicated()
    along = {"x": x | {"field": "low"}, "x2": {"field": "high"}} | encoding
    rule = {"type": "rule", "strokeWidth": 2.2}
    return [
        layer(spans[picked], rule, along | {"opacity": _seen(PALE)}),
        layer(spans[~picked], rule, along | {"opacity": OF_PICKED}),
    ]


def _seen(opacity: float) -> Spec:
    """Return the opacity of marks that are paler than others, also while rows are picked."""
    return OF_PICKED | {"condition": OF_PICKED["condition"] | {"value": opacity}}


def _means(settings: pd.DataFrame, axis: Axis, x: Spec, encoding: Spec) -> list[Spec]:
    """Return the layers of means: full dots, rings for what is open, arrows at the edge."""
    inside, is_open = settings["mean"].between(axis.low, axis.high), settings["group"] == "undecided"
    settings = settings.assign(mean=settings["mean"].clip(axis.low, axis.high))
    at = {"x": x | {"field": "mean"}, "opacity": OF_PICKED} | encoding | tooltip("label", "tooltip")
    full = {"type": "point", "filled": True, "size": 85}
    ring = {"type": "point", "filled": False, "fill": HALO, "size": 70, "strokeWidth": 2.2}
    beyond = full | {"shape": _arrow(axis, settings.loc[~inside, "mean"])}
    parts = ((inside & ~is_open, full), (inside & is_open, ring), (~inside, beyond))
    return [layer(settings[rows], mark, at, also=["tooltip"]) for rows, mark in parts]


def _arrow(axis: Axis, values: "pd.Series[float]") -> str:
    """Return the shape of values at the edge of the axis; all lie on its worse side."""
    return "triangle-left" if (values <= axis.low).all() else "triangle-right"


def _texts(rows: Rows, blanks: Mapping[str, str], y: Spec) -> list[Spec]:
    """Return the layers of text: means beside the rows, headings, and what is not drawn."""
    words = {"type": "text", "align": "left", "fontSize": 12, "color": INK}
    beside = {"y": y, "x": {"value": "width"}, "text": nominal("text")}
    inside = {"y": y, "x": {"value": 0}, "text": nominal("text")}
    headings = pd.DataFrame(
        [(blanks[group], text) for group, text in rows.headings.items()], columns=["label", "text"]
    )
    more = pd.DataFrame({"label": [blanks["more"]], "text": [rows.more]})
    return [
        layer(rows.settings, words | {"dx": 10}, beside),
        layer(headings, words | {"fontWeight": "bold", "dy": 3}, inside),
        layer(more[more["text"] != ""], words, inside),
    ]
