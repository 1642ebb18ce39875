"""Curves -> Vega-Lite charts -> SVG and PNG, without a browser. Draws numbers, computes none.

The charts are plain Vega-Lite dictionaries, which vl-convert renders as they are: importing altair to
build the same dictionaries takes 0.4 s, a third of a small report (a test checks them by its schema).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.report.curves import Axis, Curves
from dlx.report.text import write_count

if TYPE_CHECKING:
    import pandas as pd

Spec = dict[str, Any]

# Okabe and Ito's colours, which colour-blind readers can tell apart, with two in place of the yellow
# that vanishes on white and the black that vanishes on dark; neighbours in rank differ most.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#7b61c9")
GREY = "#a8adb3"
PANELS = 12
SPLITS = ("validation", "training")
QUANTITY = {"accuracy": "accuracy (fraction)", "loss": "loss (mean per sample)"}
FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


@dataclass(frozen=True)
class Figure:
    """A chart: its file's name, title, how to read it, whether it needs the page's whole width."""

    name: str
    title: str
    caption: str
    wide: bool
    svg: str


def draw(curves: Curves, folder: Path, pictures: Sequence[tuple[str, str, str, Spec]] = ()) -> list[Figure]:
    """Write every chart to `folder` as SVG and PNG (twice the pixels) and return them for the page.

    `pictures` are drawn beside the curves: name, title, caption and specification of each.
    """
    import vl_convert

    for name in ("accuracy", "loss", "surface"):
        for way in ("", "_by_setting"):
            for kind in ("svg", "png"):
                (folder / f"{name}{way}.{kind}").unlink(
                    missing_ok=True
                )  # an earlier report may have drawn more
    figures = []
    for name, title, caption, spec in [*_charts(curves), *pictures]:
        svg = vl_convert.vegalite_to_svg(spec)
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{name}.png").write_bytes(vl_convert.svg_to_png(svg, scale=2))
        figures.append(Figure(name, title, caption, name.endswith("by_setting"), svg))
    return sorted(figures, key=lambda figure: figure.wide)


def _charts(curves: Curves) -> list[tuple[str, str, str, Spec]]:
    """Return name, title, caption and specification of every chart."""
    charts = []
    many = len(curves.labels) > 1
    for metric in curves.axes:
        part = curves.of(metric=metric)
        if many:
            caption = _caption(part, len(COLOURS), "the others are thin and grey")
            charts.append((metric, f"{metric.title()} by epoch", caption, compare(part, metric)))
        name, title = (f"{metric}_by_setting", "setting by setting") if many else (metric, "by epoch")
        caption = _caption(part, PANELS, "the others are not drawn")
        charts.append((name, f"{metric.title()} {title}", caption, each(part, metric)))
    return charts


def compare(curves: Curves, metric: str) -> Spec:
    """Put all settings into one panel for validation and one for training, the first eight in colour."""
    splits = [split for split in SPLITS if split in set(curves.estimates["split"])]
    labels = curves.labels[: len(COLOURS)]
    longest = max(map(len, labels))
    legend = {
        "orient": "bottom",
        "direction": "vertical",
        "columns": 1 if longest > 30 else 2 if longest > 16 else 3,
        "labelLimit": 440 if longest > 30 else 210,
        "title": None,
    }
    panels = [
        {"width": 440, "height": 190}
        | _panel(
            curves.of(split=split),
            _colour("label", labels, legend),
            y=_y(curves.axes[metric], f"{split} {QUANTITY[metric]}"),
            x=_x(curves, "epoch" if split == splits[-1] else None),
        )
        for split in splits
    ]
    return chart(
        f"{metric} by epoch, {write_count(len(curves.labels), 'setting')}", {"vconcat": panels, "spacing": 40}
    )


def each(curves: Curves, metric: str) -> Spec:
    """Give each of the first twelve settings a panel on equal axes: validation solid, training dashed."""
    labels = curves.labels[:PANELS]
    across = min(len(labels), 4)
    size = {"width": 440, "height": 260} if len(labels) == 1 else {"width": 216, "height": 130}
    splits = [split for split in SPLITS if split in {*curves.estimates["split"], *curves.diverged["split"]}]
    legend = {"orient": "top", "title": None}
    panels = [
        size
        | ({"title": label} if len(labels) > 1 else {})
        | _panel(
            curves.of(label=label),
            _colour("split", splits, legend),
            y=_y(curves.axes[metric], QUANTITY[metric] if place % across == 0 else None),
            x=_x(curves, "epoch" if place + across >= len(labels) else None),
        )
        for place, label in enumerate(labels)
    ]
    return chart(f"{metric} by epoch, setting by setting", {"concat": panels, "columns": across})


def _panel(curves: Curves, colour: Spec, x: Spec, y: Spec) -> Spec:
    """Draw bands, means and diverged runs over each other."""
    field, shown = colour["field"], colour["scale"]["domain"]
    dashes = {"field": "split", "type": "nominal", "legend": None, "scale": _DASHES}
    named = {"color": colour} | ({"strokeDash": dashes} if field == "split" else {})
    others = {"detail": _nominal("label"), "color": {"value": GREY}}
    each_run = {"detail": _nominal("run")}
    curve = {"type": "line", "strokeJoin": "round"}

    def layer(data: "pd.DataFrame", mark: Spec, encoding: Spec, y_field: str = "mean") -> Spec:
        encoding = {"x": x, "y": {"field": y_field} | y} | encoding
        fields = [value["field"] for value in encoding.values() if "field" in value]
        return {"data": {"values": records(data, fields)}, "mark": mark, "encoding": encoding}

    means, alone = curves.estimates, curves.diverged
    bands = means[means[field].isin(shown) & (means["n"] > 1)]
    layers = [layer(bands, _BAND, {"y2": {"field": "high"}, "color": colour}, "low")]
    for encoding, width, mean, run in (
        (others, 0.8, ~means[field].isin(shown), ~alone[field].isin(shown)),
        (named, 1.8, means[field].isin(shown), alone[field].isin(shown)),
    ):
        layers.append(layer(means[mean], curve | {"strokeWidth": width}, encoding))
        layers.append(layer(alone[run], curve | {"strokeWidth": 0.9}, encoding | each_run, "value"))
        layers.append(layer(alone[run & alone["last"]], _CROSS, {"color": encoding["color"]}, "value"))
    return {"layer": [each for each in layers if each["data"]["values"]] or layers[:1]}


_BAND = {"type": "area", "fillOpacity": 0.16}
_CROSS = {"type": "point", "shape": "M-1,-1L1,1M-1,1L1,-1", "size": 60, "strokeWidth": 1.6}
_DASHES = {"domain": list(SPLITS), "range": [[1, 0], [5, 3]]}


def _colour(field: str, values: Sequence[str], legend: Spec) -> Spec:
    scale = {"domain": list(values), "range": list(COLOURS[: len(values)])}
    legend = {"symbolType": "stroke", "symbolStrokeWidth": 2.5, "symbolOpacity": 1} | legend
    return {"field": field, "type": "nominal", "scale": scale, "legend": legend}


def _nominal(field: str) -> Spec:
    return {"field": field, "type": "nominal"}


def _x(curves: Curves, title: str | None) -> Spec:
    scale = {"domain": [0, curves.epochs], "nice": False}
    axis = {"title": title, "grid": False, "tickMinStep": 1, "tickCount": 6}
    return {"field": "epoch", "type": "quantitative", "scale": scale, "axis": axis}


def _y(axis: Axis, title: str | None) -> Spec:
    scale = {"type": "log" if axis.log else "linear", "domain": [axis.low, axis.high], "nice": False}
    ticks: Spec = {"title": title, "tickCount": 5} | (
        {"values": list(axis.ticks), "format": "~g"} if axis.log else {}
    )
    return {"type": "quantitative", "scale": scale, "axis": ticks}


def records(data: "pd.DataFrame", fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of some columns as dictionaries."""
    chosen = data[list(dict.fromkeys(fields))]
    return [{str(name): value for name, value in row.items()} for row in chosen.to_dict(orient="records")]


def chart(description: str, body: Spec) -> Spec:
    """Add what every chart has: a description for screen readers, type and quiet axes."""
    quiet = {"domainColor": "#9aa0a6", "tickColor": "#9aa0a6", "gridColor": "#e4e7eb"}
    small = {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "background": "white",
        "padding": 8,
        "spacing": {"row": 56, "column": 44},
        "bounds": "flush",
        **body,
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": quiet | small | {"labelColor": "#4a4f55", "titleColor": "#24292f", "titlePadding": 8},
            "legend": small | {"labelFontSize": 12, "labelColor": "#24292f"},
            "title": {
                "fontSize": 12,
                "fontWeight": "bold",
                "anchor": "start",
                "frame": "group",
                "color": "#24292f",
                "limit": 216,
            },
        },
    }


def _caption(curves: Curves, shown: int, others: str) -> str:
    """Say what the lines, bands and crosses are, and what is not to be seen."""
    axis = next(iter(curves.axes.values()))
    alone = curves.diverged["run"].nunique()
    if (curves.estimates["n"] > 1).any():
        sentences = [
            "Lines are means over the completed runs of a setting; bands reach from the lowest to the highest"
        ]
    else:
        sentences = ["Each line is a single run" if len(curves.estimates) else "No run completed"]
    if len(curves.labels) > shown:
        sentences.append(f"The first {shown} of {len(curves.labels)} settings in the table; {others}")
    if alone:
        sentences.append(
            f"Thin lines are diverged runs ({alone}), each ending at a cross where it leaves the axis or was "
            "last finite"
        )
    if axis.log:
        sentences.append("The loss axis is logarithmic")
    if axis.cut:
        sentences.append("Values beyond the axis are drawn at its edge")
    if curves.step > 1:
        sentences.append(f"Every {curves.step}th epoch is drawn")
    return ". ".join(sentences) + "."
