"""How every plot looks: colours, axes, ticks, legends, and the frame of a chart."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dlx.metrics.catalogue import label_of
from dlx.report.charts import Spec

# Okabe and Ito's colours, which colour-blind readers can tell apart. Two are replaced: their yellow is hard
# to see on white, and their black on a dark page. Neighbours in rank differ most.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#7b61c9")
GREY = "#a8adb3"
SHADE = "#1268b3"  # of cells, which may have white text; the same on a dark page
INK = "#24292f"
HALO = "#fefefe"  # around text on lines; the page replaces it by its background colour
PANELS = 12  # at most in one chart
GREYS = 100  # lines behind the coloured ones; 400 would hide each other and take 2 MB of SVG
SPLITS = ("validation", "training")
SHOWN = "shown"  # parameter of a live chart: the labels in colour
PICKED = "picked"  # parameter of a live chart: the labels picked in the tables, [] for all
QUANTITY = {"accuracy": "accuracy (fraction)", "loss": "loss (mean per sample)"}
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"
DECADE = 10.0  # an axis is logarithmic if the ratio of its ends is larger

# In a live chart, marks are faint while other labels are picked.
OF_PICKED: Spec = {
    "condition": {"test": f"length({PICKED}) == 0 || indexof({PICKED}, datum.label) >= 0", "value": 0.9},
    "value": 0.07,
}

DASHES = {"domain": list(SPLITS), "range": [[1, 0], [5, 3]]}
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def chart(description: str, body: Spec) -> Spec:
    """Add what every chart has: a description for screen readers, fonts and pale axes."""
    axis_colours = {"domainColor": "#9aa0a6", "tickColor": "#9aa0a6", "gridColor": "#e4e7eb"}
    small = {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "$schema": SCHEMA,
        "description": description,
        "background": "white",
        "padding": 8,
        **({} if "layer" in body else {"bounds": "flush"}),  # of several panels
        **({"spacing": {"row": 56, "column": 44}} if "concat" in body else {}),
        **body,
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": axis_colours | small | {"labelColor": "#4a4f55", "titleColor": INK, "titlePadding": 8},
            "legend": small | {"labelFontSize": 12, "labelColor": INK},
            "title": {
                "fontSize": 12,
                "fontWeight": "bold",
                "anchor": "start",
                "frame": "group",
                "color": INK,
                "limit": 216,
            },
        },
    }


def layered(description: str, width: int, height: int | Spec, layers: Sequence[Spec], *picked: Spec) -> Spec:
    """Return a chart of one panel with the `layers` that have data; `picked` are its parameters."""
    parameters = {"params": list(picked)} if picked else {}
    drawn = [each for each in layers if each["data"]["values"]]
    return chart(description, parameters | {"width": width, "height": height, "layer": drawn})


def colour(field: str, values: Sequence[str], legend: Spec | None) -> Spec:
    """Return a channel that gives the first eight of `values` a colour each."""
    scale = {"domain": list(values), "range": list(COLOURS[: len(values)])}
    strokes = {"symbolType": "stroke", "symbolStrokeWidth": 2.5, "symbolOpacity": 1}
    return nominal(field) | {"scale": scale, "legend": None if legend is None else strokes | legend}


def legend_below(labels: Sequence[str], *, wide: bool = False) -> Spec:
    """Return a legend below the panels, with as many columns as the longest label leaves room for."""
    longest = max(map(len, labels), default=0)
    columns = 1 if longest > 30 else 2 if longest > 16 else 3
    return {
        "orient": "bottom",
        # A vertical legend with several columns gets the order wrong if its last row is not full.
        "direction": "horizontal",
        "columns": 2 * columns if wide else columns,
        "columnPadding": 24,  # in a browser with wider letters (see row_axis) entries would touch
        "labelLimit": 440 if longest > 30 else 210,
        "title": None,
    }


def nominal(field: str) -> Spec:
    """Return a channel of categories."""
    return {"field": field, "type": "nominal"}


def quantitative(field: str, title: str | None, axis: Spec | None = None, scale: Spec | None = None) -> Spec:
    """Return a channel of numbers along an axis."""
    return {
        "field": field,
        "type": "quantitative",
        "axis": {"title": title} | (axis or {}),
        "scale": scale or {},
    }


def metric_title(metric: str, split: str = "", *, exact: bool = False) -> str:
    """Return the title of a metric's axis; in an `exact` study, the loss is the height of a surface."""
    return "value of f" if exact else f"{split} {QUANTITY.get(metric, label_of(metric))}".strip()


def row_axis(labels: Sequence[str], limit: int) -> Spec:
    """Return the y axis of a chart with a row for each label, which is cut at `limit` pixels.

    The renderer lays out charts for Liberation Sans. Browsers without Arial or a substitute use DejaVu Sans,
    which is a fifth wider, at about 6 pixels a character. Without the room that `minExtent` makes, the
    beginning of a long label would lie outside the SVG.
    """
    room = min(1.25 * limit, 6.4 * max(map(len, labels), default=0))
    return {"title": None, "labelLimit": limit, "minExtent": round(room), "ticks": False, "domain": False}


def label_angle(labels: Sequence[str], width: int) -> Spec:
    """Return the angle of an axis's labels: tilted if they do not fit side by side in `width` pixels."""
    return {"labelAngle": 0 if len(labels) * max(map(len, labels), default=0) * 6.5 <= width else -40}


def epoch_axis(title: str | None, last: int) -> Spec:
    """Return the x channel of curves by epoch, from 0 to the last one."""
    scale = {"domain": [0, last], "nice": False}
    return quantitative("epoch", title, {"grid": False, "tickMinStep": 1, "tickCount": 6}, scale)


def log_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten between two positive numbers, thinned to about four.

    If there are fewer than three, return 1, 2 and 5 times each power. The renderer's own ticks are nine a
    decade.
    """
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [10.0**exponent for exponent in exponents]
    inside = [power for power in powers if low <= power <= high]
    if len(inside) > 2:
        return inside[:: len(inside) // 5 + 1]
    return [tick for power in powers for tick in (power, 2 * power, 5 * power) if low <= tick <= high]


def heading(name: str, width: int, *, bold: bool = True) -> Spec:
    """Return a panel's name as a text mark: a title would move up if a label stood out above the axis."""
    mark = {"type": "text", "align": "left", "dy": -16, "fontSize": 12, "color": INK, "limit": width}
    mark |= {"fontWeight": "bold"} if bold else {}
    encoding = {"x": {"value": 0}, "y": {"value": 0}, "text": {"value": name}}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": encoding}


def tooltip(*fields: str) -> Spec:
    """Return a tooltip channel that shows the texts of these fields, one per line."""
    return {"tooltip": [nominal(field) | {"title": " " * index} for index, field in enumerate(fields, 1)]}


def layer(data: pd.DataFrame, mark: Spec, encoding: Spec, also: Sequence[str] = ()) -> Spec:
    """Return a layer of a panel, with the columns of `data` that it draws and those in `also`."""
    fields = [value["field"] for value in encoding.values() if "field" in value] if len(data) else []
    return {"data": {"values": records(data, [*fields, *also])}, "mark": mark, "encoding": encoding}


def records(data: pd.DataFrame, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of some columns as dictionaries."""
    names = list(dict.fromkeys(fields))
    columns = [data[name].tolist() for name in names]  # a sixth of the time of DataFrame.to_dict
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
