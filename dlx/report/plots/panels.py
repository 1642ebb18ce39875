"""Panels that plots share: curves with bands over seeds, small multiples by epoch, shaded cells."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from dlx.report.charts import Spec
from dlx.report.curves import Axis, Curves
from dlx.report.plots.style import (
    COLOURS,
    DASHES,
    GREY,
    GREYS,
    INK,
    PANELS,
    SHADE,
    SHOWN,
    SPLITS,
    chart,
    colour,
    epoch_axis,
    heading,
    layer,
    legend_below,
    log_ticks,
    nominal,
    quantitative,
)

BAND = {"type": "area", "fillOpacity": 0.16}
CROSS = {"type": "point", "shape": "M-1,-1L1,1M-1,1L1,-1", "size": 60, "strokeWidth": 1.6}
ACROSS = 4  # small multiples in a row
DECADES = 100.0  # panels whose values span more get a logarithmic axis
TINY, HUGE = 0.005, 1e5  # beyond these, numbers are written as powers: 2e-4, not 0.0002


def curves_panel(curves: Curves, colour: Spec, x: Spec, y: Spec, name: str = "") -> Spec:
    """Draw bands, means and diverged runs on top of each other; labels that `colour` does not name are grey.

    The page's script can redraw a panel with a `name`: that has every layer, with data named "<part> <name>",
    and takes its colours from the chart's parameter SHOWN (see page/curves.js).
    """
    field, shown = colour["field"], colour["scale"]["domain"]
    if name:
        colour = colour | {"scale": {"domain": {"expr": SHOWN}, "range": list(COLOURS)}}
    dashes = nominal("split") | {"legend": None, "scale": DASHES}
    named = {"color": colour} | ({"strokeDash": dashes} if field == "split" else {})
    others = {"detail": nominal("label"), "color": {"value": GREY}}
    each_run = {"detail": nominal("run")}
    curve = {"type": "line", "strokeJoin": "round"}

    def along(y_field: str) -> Spec:
        return {"x": x, "y": y | {"field": y_field}}

    means, diverged = curves.estimates, curves.diverged
    bands = means[means[field].isin(shown) & (means["n"] > 1)]
    layers = {"bands": layer(bands, BAND, along("low") | {"y2": {"field": "high"}, "color": colour})}
    for way, encoding, width, mean, run in (
        ("other", others, 0.8, ~means[field].isin(shown), ~diverged[field].isin(shown)),
        ("named", named, 1.8, means[field].isin(shown), diverged[field].isin(shown)),
    ):
        layers |= {
            f"{way}_means": layer(means[mean], curve | {"strokeWidth": width}, along("mean") | encoding),
            f"{way}_runs": layer(
                diverged[run], curve | {"strokeWidth": 0.9}, along("value") | encoding | each_run
            ),
            f"{way}_ends": layer(
                diverged[run & diverged["last"]], CROSS, along("value") | {"color": encoding["color"]}
            ),
        }
    if name:
        layers["points"] = _point_under_pointer(name, along("value") | {"color": colour})
        for part, each in layers.items():
            each["data"]["name"] = f"{part} {name}"
        return {"layer": list(layers.values())}
    return {"layer": [each for each in layers.values() if each["data"]["values"]] or [layers["bands"]]}


def _point_under_pointer(name: str, encoding: Spec) -> Spec:
    """Return the layer that marks the point nearest to the pointer, which the page's script fills."""
    under = f"under_{re.sub('[^a-z]', '_', name)}"
    nearest = {"type": "point", "nearest": True, "on": "pointerover", "clear": "pointerout"}
    opacity = {"condition": {"param": under, "empty": False, "value": 1}, "value": 0}
    return {
        "data": {"values": []},
        "params": [{"name": under, "select": nearest}],
        "mark": {"type": "point", "filled": True, "size": 55, "aria": False},
        "encoding": encoding | {"opacity": opacity, "tooltip": nominal("label")},
    }


def metric_axis(axis: Axis, title: str | None) -> Spec:
    """Return the y channel of a metric, without its field."""
    scale = {"type": "log" if axis.log else "linear", "domain": [axis.low, axis.high], "nice": False}
    ticks: Spec = {"title": title, "tickCount": 5} | (
        {"values": list(axis.ticks), "format": "~g"} if axis.log else {}
    )
    return {"type": "quantitative", "scale": scale, "axis": ticks}


def curves_caption(curves: Curves, shown: int, others: str) -> str:
    """Describe the lines and the axes; `others`: how these and the other settings are drawn."""
    axes = curves.axes.values()
    diverged = curves.diverged["run"].nunique()
    if (curves.estimates["n"] > 1).any():
        sentences = [
            "Lines are means over a setting's completed runs; bands span the lowest to the highest run"
        ]
    else:
        sentences = ["Each line is a single run" if len(curves.estimates) else "No run completed"]
    if len(curves.labels) > shown:
        sentences.append(f"The first {shown} of {len(curves.labels)} settings in the table {others}")
    if diverged:
        sentences.append(
            f"Thin lines are diverged runs ({diverged}); a cross marks where each leaves the axis or is last "
            "finite"
        )
    if any(axis.log for axis in axes):
        where = "" if all(axis.log for axis in axes) else " where losses span more than two decades"
        sentences.append(f"The loss axis is logarithmic{where}")
    if any(axis.cut for axis in axes):
        sentences.append("Values beyond the axis are drawn at its edge")
    if curves.step > 1:
        sentences.append(f"One epoch in {curves.step} is drawn")
    return ". ".join(sentences) + "."


def grey_caption(settings: int) -> str:
    """Say how settings without a colour of their own are drawn."""
    rest = settings - len(COLOURS)
    others = "the others" if rest <= GREYS else f"the next {GREYS}"
    return f"are in colour; {others} are thin and grey"


@dataclass(frozen=True)
class Multiples:
    """Curves by epoch in small panels: settings by colour, the split by dashes.

    `frame`: columns `panel label split epoch value`, a row for each point. `panels`, `labels`: in order.
    `ticks`: for panels with a logarithmic axis. `as_powers`: panels whose numbers are written like 2e-4.
    `held`: whether values below an axis are drawn at its bottom. `domain`: of all axes, if they are equal.
    """

    frame: pd.DataFrame
    panels: list[str]
    labels: list[str]
    ticks: dict[str, list[float]]
    as_powers: set[str]
    held: bool
    domain: tuple[float, float] | None = None

    @property
    def caption(self) -> list[str]:
        """Return the sentences about lines and axes."""
        sentences = ["Solid is validation, dashed is training"] if len(set(self.frame["split"])) > 1 else []
        sentences.append(
            "All panels have the same axes" if self.domain else "Each panel has its own vertical axis"
        )
        if self.ticks:
            sentences[-1] += ", logarithmic where the values span more than two decades"
        if self.held:
            below = "Values below the axis" if self.domain else "Zeros on a logarithmic axis"
            sentences.append(f"{below} are drawn at its bottom")
        return sentences


def arrange(
    frame: pd.DataFrame, panels: list[str], labels: list[str], *, may_be_log: Collection[str]
) -> Multiples:
    """Keep the first twelve panels and choose their axes; only those in `may_be_log` can be logarithmic.

    On a logarithmic axis, zeros become the panel's smallest positive value.
    """
    panels = panels[:PANELS]
    frame = frame[frame["panel"].isin(panels) & frame["value"].abs().lt(float("inf"))]
    above = frame[frame["value"] > 0].groupby("panel")["value"].agg(["min", "max"])
    wide = above[(above["max"] / above["min"] > DECADES) & above.index.isin(list(may_be_log))]
    floors = frame["panel"].map(wide["min"])
    held = frame["value"] < floors  # never where the axis is linear: there the floor is NaN
    frame = frame.assign(value=frame["value"].where(~held, floors))
    ticks = {str(panel): log_ticks(low, high) for panel, low, high in wide.itertuples()}
    largest = frame["value"].abs().groupby(frame["panel"]).max()
    written = {panel: ticks.get(panel) or [largest.get(panel, 1.0)] for panel in panels}
    as_powers = {panel for panel, values in written.items() if min(values) < TINY or max(values) >= HUGE}
    return Multiples(frame, panels, labels, ticks, as_powers, bool(held.any()))


def multiples(plan: Multiples, quantity: str | None, description: str) -> Spec:
    """Draw the panels, four in a row, with one legend below them."""
    across = min(ACROSS, len(plan.panels))
    splits = [split for split in SPLITS if split in set(plan.frame["split"])]
    last = int(plan.frame["epoch"].max()) if len(plan.frame) else 0
    legend = legend_below(plan.labels, wide=True) if len(plan.labels) > 1 else None
    width = (1000 - 52 * across) // across if across > 1 else 440
    panels = []
    for index, name in enumerate(plan.panels):
        encoding = {
            "x": epoch_axis("epoch" if index + across >= len(plan.panels) else None, last),
            "y": _value_axis(plan, name, quantity if index % across == 0 else None),
            "color": colour("label", plan.labels, legend),
        }
        if len(splits) > 1:
            encoding["strokeDash"] = nominal("split") | {"scale": DASHES, "legend": None}
        mark = {"type": "line", "strokeWidth": 1.6, "strokeJoin": "round"}
        part = plan.frame[plan.frame["panel"] == name]
        panels.append(
            {"width": width, "height": 110, "layer": [heading(name, width), layer(part, mark, encoding)]}
        )
    return chart(description, {"concat": panels, "columns": across, "spacing": {"row": 60, "column": 52}})


def _value_axis(plan: Multiples, name: str, title: str | None) -> Spec:
    ticks: Spec = {"tickCount": 4} | ({"format": "~e"} if name in plan.as_powers else {})
    if name not in plan.ticks:
        scale: Spec = {"domain": list(plan.domain)} if plan.domain else {"zero": False}
        return quantitative("value", title, ticks, scale)
    return quantitative("value", title, ticks | {"values": plan.ticks[name]}, {"type": "log", "nice": False})


def shaded_cells(cells: pd.DataFrame, x: Spec, y: Spec, field: str, scale: Spec) -> Spec:
    """Return a layer of rectangles; the larger `field` is, the more opaque they are."""
    opacity = {"field": field, "type": "quantitative", "scale": scale, "legend": None}
    return layer(cells, {"type": "rect", "color": SHADE}, {"x": x, "y": y, "opacity": opacity})


def cell_texts(cells: pd.DataFrame, x: Spec, y: Spec, size: int) -> list[Spec]:
    """Return two layers with the text of cells: white on dark cells, dark on the others."""
    encoding = {"x": x, "y": y, "text": nominal("text")}
    return [
        layer(cells[cells["dark"] == dark], {"type": "text", "color": ink, "fontSize": size}, encoding)
        for dark, ink in ((True, "#ffffff"), (False, INK))
    ]
