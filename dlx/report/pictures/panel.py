"""One panel of curves: bands over seeds, means, and diverged runs up to a cross."""

import re

from dlx.report.charts import Spec
from dlx.report.curves import Axis, Curves
from dlx.report.pictures.style import COLOURS, DASHES, GREY, SHOWN, layer, nominal

BAND = {"type": "area", "fillOpacity": 0.16}
CROSS = {"type": "point", "shape": "M-1,-1L1,1M-1,1L1,-1", "size": 60, "strokeWidth": 1.6}


def panel(curves: Curves, colour: Spec, x: Spec, y: Spec, name: str = "") -> Spec:
    """Draw bands, means and diverged runs over each other; what `colour` does not name is thin and grey.

    With a `name` the page's script may draw other curves in the panel: then every layer is there, its data
    named "<part> <name>", and the colours are those of the chart's parameter SHOWN (see page/curves.js).
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

    means, alone = curves.estimates, curves.diverged
    bands = means[means[field].isin(shown) & (means["n"] > 1)]
    layers = {"bands": layer(bands, BAND, along("low") | {"y2": {"field": "high"}, "color": colour})}
    for way, encoding, width, mean, run in (
        ("other", others, 0.8, ~means[field].isin(shown), ~alone[field].isin(shown)),
        ("named", named, 1.8, means[field].isin(shown), alone[field].isin(shown)),
    ):
        layers |= {
            f"{way}_means": layer(means[mean], curve | {"strokeWidth": width}, along("mean") | encoding),
            f"{way}_runs": layer(
                alone[run], curve | {"strokeWidth": 0.9}, along("value") | encoding | each_run
            ),
            f"{way}_ends": layer(
                alone[run & alone["last"]], CROSS, along("value") | {"color": encoding["color"]}
            ),
        }
    if name:
        layers["points"] = _answering(name, along("value") | {"color": colour})
        for part, each in layers.items():
            each["data"]["name"] = f"{part} {name}"
        return {"layer": list(layers.values())}
    return {"layer": [each for each in layers.values() if each["data"]["values"]] or [layers["bands"]]}


def _answering(name: str, encoding: Spec) -> Spec:
    """Return the layer of the point nearest to the pointer, which a file leaves empty."""
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
    """Return the y channel of a metric, but for its field."""
    scale = {"type": "log" if axis.log else "linear", "domain": [axis.low, axis.high], "nice": False}
    ticks: Spec = {"title": title, "tickCount": 5} | (
        {"values": list(axis.ticks), "format": "~g"} if axis.log else {}
    )
    return {"type": "quantitative", "scale": scale, "axis": ticks}


def describe(curves: Curves, shown: int, others: str) -> str:
    """Say what the lines, bands and crosses are, and what is not to be seen."""
    axes = curves.axes.values()
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
    if any(axis.log for axis in axes):
        where = "" if all(axis.log for axis in axes) else " where losses span two decades"
        sentences.append(f"The loss axis is logarithmic{where}")
    if any(axis.cut for axis in axes):
        sentences.append("Values beyond the axis are drawn at its edge")
    if curves.step > 1:
        sentences.append(f"Every {curves.step}th epoch is drawn")
    return ". ".join(sentences) + "."
