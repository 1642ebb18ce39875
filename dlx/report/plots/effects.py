"""What each key of a grid does on average, with intervals, and how the keys that interact do so."""

import pandas as pd

from dlx.metrics.catalogue import is_share, label_of
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.crossing import NotCrossed
from dlx.report.effects import Effects, Interaction
from dlx.report.effects_text import turned, write_effect
from dlx.report.plots.differences import verdict_colour
from dlx.report.plots.style import (
    COLOURS,
    INK,
    chart,
    colour,
    heading,
    label_angle,
    layer,
    nominal,
    quantitative,
    row_axis,
    tooltip,
)
from dlx.report.text import write_count
from dlx.stats.factorial import FEWEST

ROWS = 24  # effects, at most
PANELS = 3  # interactions, at most, side by side
WIDTH, NARROW = 640, 430  # of the effects; the second beside an interaction
BESIDE = (210, 150)  # width and height of an interaction's panel
POINT: Spec = {"type": "point", "filled": True, "opacity": 1}


def effects(analysis: Analysis) -> list[Chart]:
    """Draw the effects of a grid's keys; nothing if the study is no grid, or if nothing could be tested."""
    found = analysis.effects
    if isinstance(found, NotCrossed) or found.units < FEWEST:
        return []
    return [Chart("effects", "What each key does", _caption(found), _draw(found), wide=True, live=True)]


def rows_of_effects(found: Effects) -> pd.DataFrame:
    """Return `label difference low high verdict tooltip`, each effect as its better value minus the other.

    Accuracies are in points.
    """
    unit = 100 if is_share(found.metric) else 1
    rows = []
    for effect in found.main[:ROWS]:
        worse = (effect.difference > 0) != found.higher
        shown = turned(effect) if worse and effect.other else effect
        pairs = f"higher in {shown.higher} of {write_count(shown.pairs, 'matched pair')}"
        ends = (unit * value for value in (shown.difference, shown.low, shown.high))
        label = f"{shown.name}: {shown.value} minus {shown.other or 'the others'}"
        rows.append((label, *ends, shown.verdict, f"{write_effect(found.metric, shown)}, {pairs}"))
    return pd.DataFrame(rows, columns=["label", "difference", "low", "high", "verdict", "tooltip"])


def _draw(found: Effects) -> Spec:
    """Draw the effects, and the interactions: a single one beside them, several below."""
    shown = found.interactions[:PANELS]
    beside = len(shown) == 1
    forest = _forest(rows_of_effects(found), found.metric, NARROW if beside else WIDTH)
    title = f"mean {label_of(found.metric)}"
    panels = [_panel(both, title if both is shown[0] else None) for both in shown]
    resolve = {"scale": {"color": "independent"}}
    whole = forest
    if beside:
        whole = {"hconcat": [forest, *panels], "spacing": 72, "resolve": resolve}
    elif shown:
        row = {
            "hconcat": panels,
            "spacing": 56,
            "resolve": {"scale": {"color": "independent", "y": "shared"}},
        }
        whole = {"vconcat": [forest, row], "spacing": 72, "resolve": resolve}
    return chart("effect of each key, with its 95% interval", whole)


def _forest(frame: pd.DataFrame, metric: str, width: int) -> Spec:
    """Draw a row for each effect: the difference and its interval, and a line at zero."""
    unit = ", in points" if is_share(metric) else ""
    x = quantitative(
        "difference", f"difference in {label_of(metric)}{unit}", {"tickCount": 7}, {"zero": True}
    )
    labels = frame["label"].tolist()
    y = nominal("label") | {"sort": labels, "axis": row_axis(labels, 320) | {"grid": False}}
    along = {"y": y, "color": verdict_colour(frame)} | tooltip("label", "tooltip")
    ranges = {"x": x | {"field": "low"}, "x2": {"field": "high"}} | along
    zero = {"type": "rule", "color": INK, "strokeDash": [3, 3]}
    layers = [
        layer(pd.DataFrame({"difference": [0.0]}), zero, {"x": x}),
        layer(frame.dropna(), {"type": "rule", "strokeWidth": 1.8}, ranges, also=["tooltip"]),
        layer(
            frame, {"type": "point", "filled": True, "size": 70, "opacity": 1}, {"x": x} | along, ["tooltip"]
        ),
    ]
    return {
        "width": width,
        "height": {"step": 24},
        "layer": [each for each in layers if each["data"]["values"]],
    }


def _panel(both: Interaction, title: str | None) -> Spec:
    """Draw the mean score against one key, with a line for each value of the other."""
    frame = pd.DataFrame(
        [(value, by, mean) for (value, by), mean in both.means.items()], columns=["value", "by", "mean"]
    )
    values = list(dict.fromkeys(frame["value"]))[: len(COLOURS)]
    order = list(dict.fromkeys(frame["by"]))
    frame = frame[frame["value"].isin(values)].dropna()
    width, height = BESIDE
    angle = label_angle(order, width)
    x = nominal("by") | {
        "sort": order,
        "axis": {"title": both.by_name, "grid": False} | angle,
        "scale": {"type": "point", "padding": 0.3},
    }
    y = quantitative("mean", title, {"tickCount": 4}, {"zero": False})
    legend = {"orient": "bottom", "title": both.name, "direction": "horizontal"}
    along = {"x": x, "y": y, "color": colour("value", values, legend)}
    return {
        "width": width,
        "height": height,
        "layer": [
            heading(f"{both.name} by {both.by_name}", width),
            layer(frame, {"type": "line", "strokeWidth": 1.8}, along),
            layer(frame, POINT | {"size": 40}, along),
        ],
    }


def _caption(found: Effects) -> str:
    both = len(found.interactions)
    name = label_of(found.metric)
    said = [f"A row for each pair of a key's values: the mean difference in {name}"]
    said[0] += " at the last epoch, over the grid's values of the other keys. The 95% intervals hold together"
    if len(found.main) > ROWS:
        said.append(f"Only the {ROWS} largest of {len(found.main)} effects are drawn")
    if both:
        which = f"the {PANELS} clearest of {both} pairs of keys" if both > PANELS else "two keys"
        said.append(f"Lines that are not parallel show an interaction, of {which}")
    return ". ".join(said) + "."
