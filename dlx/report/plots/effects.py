"""What each key of a grid does on average, with intervals, and how the keys that interact do so."""

import pandas as pd

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.effects import Effects, Interaction, NotCrossed
from dlx.report.effects_text import turned, write_effect
from dlx.report.plots.differences import COLOUR_OF
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
from dlx.report.text import METRIC_NAMES, write_count
from dlx.stats.factorial import FEWEST

ROWS = 24  # effects, at most
PANELS = 3  # interactions, at most, side by side
WIDTH = 640  # of the effects
BESIDE = (210, 150)  # width and height of an interaction's panel


def effects(analysis: Analysis) -> list[Chart]:
    """Draw the effects of a grid's keys; nothing if the study is no grid, or if nothing could be tested."""
    found = analysis.effects
    if isinstance(found, NotCrossed) or found.units < FEWEST:
        return []
    return [Chart("effects", "What each key does", _caption(found), _draw(found), wide=True)]


def rows_of_effects(found: Effects) -> pd.DataFrame:
    """Return `label difference low high verdict tooltip`, each effect as its better value minus the other.

    Accuracies are in points.
    """
    unit = 100 if found.metric.endswith("accuracy") else 1
    rows = []
    for effect in found.main[:ROWS]:
        if (effect.difference > 0) != found.higher and effect.other:
            effect = turned(effect)
        pairs = f"higher in {effect.higher} of {write_count(effect.pairs, 'matched pair')}"
        ends = (unit * value for value in (effect.difference, effect.low, effect.high))
        label = f"{effect.name}: {effect.value} minus {effect.other or 'the others'}"
        rows.append((label, *ends, effect.verdict, f"{write_effect(found.metric, effect)}, {pairs}"))
    return pd.DataFrame(rows, columns=["label", "difference", "low", "high", "verdict", "tooltip"])


def _draw(found: Effects) -> Spec:
    parts = [_forest(rows_of_effects(found), found.metric)]
    if found.interactions:
        shown = found.interactions[:PANELS]
        title = f"mean {METRIC_NAMES[found.metric]}"
        panels = [_panel(both, title if both is shown[0] else None) for both in shown]
        parts.append(
            {"hconcat": panels, "spacing": 56, "resolve": {"scale": {"color": "independent", "y": "shared"}}}
        )
    whole: Spec = {"vconcat": parts, "spacing": 96, "resolve": {"scale": {"color": "independent"}}}
    return chart("effect of each key, with its 95% interval", whole if len(parts) > 1 else parts[0])


def _forest(frame: pd.DataFrame, metric: str) -> Spec:
    """Draw a row for each effect: the difference and its interval, and a line at zero."""
    verdicts = [verdict for verdict in COLOUR_OF if verdict in set(frame["verdict"])]
    symbol = {"symbolType": "circle", "symbolStrokeWidth": 0, "symbolSize": 80}
    hue = nominal("verdict") | {
        "scale": {"domain": verdicts, "range": [COLOUR_OF[verdict] for verdict in verdicts]},
        "legend": {"orient": "top", "title": None} | symbol,
    }
    unit = ", in points" if metric.endswith("accuracy") else ""
    x = quantitative(
        "difference", f"difference in {METRIC_NAMES[metric]}{unit}", {"tickCount": 7}, {"zero": True}
    )
    labels = frame["label"].tolist()
    y = nominal("label") | {"sort": labels, "axis": row_axis(labels, 320) | {"grid": False}}
    along = {"y": y, "color": hue} | tooltip("label", "tooltip")
    ranges = {"x": x | {"field": "low"}, "x2": {"field": "high"}} | along
    zero = {"type": "rule", "color": INK, "strokeDash": [3, 3]}
    layers = [
        layer(pd.DataFrame({"difference": [0.0]}), zero, {"x": x}),
        layer(frame.dropna(), {"type": "rule", "strokeWidth": 1.8}, ranges, also=["tooltip"]),
        layer(frame, {"type": "point", "filled": True, "size": 70, "opacity": 1}, {"x": x} | along, ["tooltip"]),
    ]
    return {"width": WIDTH, "height": {"step": 24}, "layer": [each for each in layers if each["data"]["values"]]}


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
            layer(frame, {"type": "point", "filled": True, "size": 40, "opacity": 1}, along),
        ],
    }


def _caption(found: Effects) -> str:
    said = [
        f"Above, a row for each pair of a key's values: the difference in {METRIC_NAMES[found.metric]} at the "
        "last epoch, averaged over the grid's values of the other keys, with its 95% interval. The intervals "
        "hold together"
    ]
    if not found.interactions:
        said[0] = said[0].replace("Above, a row", "A row")
    if len(found.main) > ROWS:
        said.append(f"Only the {ROWS} largest of {len(found.main)} effects are drawn")
    if found.interactions:
        shown = min(PANELS, len(found.interactions))
        which = f"the {shown} clearest of {len(found.interactions)}" if shown < len(found.interactions) else "all"
        said.append(f"Below, pairs of keys that interact ({which}): lines that are not parallel")
    return ". ".join(said) + "."


