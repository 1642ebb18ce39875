"""Parallel coordinates: a line for each setting through the values of its keys to its result."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.heat import ordered_values
from dlx.report.pictures.style import GREY, HALO, INK, OF_PICKED, PICKED, SHADE, chart, layer, nominal, told
from dlx.report.summary import Summary
from dlx.report.text import METRIC_NAMES, MISSING, visible, write_count, write_metric, write_value

if TYPE_CHECKING:
    import pandas as pd

KEYS = (2, 7)  # axes beside the result's, at least and at most
SETTINGS = (4, 400)
LABELS = 8  # values of a key that are all written; of more, some between the ends
EDGE = 0.04


@dataclass(frozen=True)
class Parallel:
    """`lines`: `label axis order height quality told`, a row for each setting and axis; the best are last.

    `height`: from 0 (foot) to 1 of the axis. `quality`: of the result, 0 (worst) to 1. `texts`:
    `axis order height text`, what is written beside the axes. `axes`: their headings, the result's last.
    """

    lines: "pd.DataFrame"
    texts: "pd.DataFrame"
    axes: list[str]
    dropped: int


def parallel(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:  # noqa: ARG001
    """Draw the settings that completed, if two keys or more vary."""
    done = summary.table[summary.table[f"{summary.metric}_last_mean"].notna()]
    varying = [key for key in layout.keys if len(set(done[key].map(write_value))) > 1]
    if not KEYS[0] <= len(varying) <= KEYS[1] or len(done) < SETTINGS[0]:
        return []
    made = connect(layout, summary, varying)
    caption = (
        f"A line is a setting, from the values of its keys to its mean {METRIC_NAMES[summary.metric]} at the "
        "last epoch; the bluer, the better. Values are spaced evenly in their order."
    )
    if len(done) > SETTINGS[1]:
        caption += f" The first {SETTINGS[1]} of {len(done)} settings in the table."
    if made.dropped:
        caption += f" {write_count(made.dropped, 'setting')} without a completed run: no line."
    return [Chart("parallel", "Every setting at once", caption, strands(made), wide=True, live=True)]


def connect(layout: Design, summary: Summary, keys: list[str]) -> Parallel:
    """Place every setting's values on the axes, values of a key evenly in their order."""
    import pandas as pd

    column = f"{summary.metric}_last_mean"
    done = summary.table[summary.table[column].notna()].head(SETTINGS[1])
    worst_first = done.iloc[::-1]
    low, high = float(done[column].min()), float(done[column].max())
    rows, texts = [], []
    heading = summary.metric.replace("_", " ")
    axes = [*(visible(layout.names[key]) for key in keys), heading]
    share = (worst_first[column] - low) / (high - low) if high > low else worst_first[column] * 0 + 1
    quality = (share if summary.higher else 1 - share).tolist()
    written = [f"{heading} {write_metric(summary.metric, value)}" for value in worst_first[column]]
    for order, key in enumerate(keys):
        values = ordered_values(summary, key)
        heights = {text: place / max(1, len(values) - 1) for place, text in enumerate(values)}
        step = -(-len(values) // LABELS)
        texts += [(axes[order], order, heights[text], text or MISSING) for text in values[::step]]
        places = [heights[write_value(value)] for value in worst_first[key]]
        rows += list(zip(worst_first["label"], [order] * len(places), places, quality, written, strict=True))
    rows += list(zip(worst_first["label"], [len(keys)] * len(share), share, quality, written, strict=True))
    texts += [
        (heading, len(keys), end, write_metric(summary.metric, value)) for end, value in ((0, low), (1, high))
    ]
    lines = pd.DataFrame(rows, columns=["label", "order", "height", "quality", "told"])
    return Parallel(
        lines,
        pd.DataFrame(texts, columns=["axis", "order", "height", "text"]),
        axes,
        int(summary.table[column].isna().sum()),
    )


def strands(made: Parallel) -> Spec:
    """Draw the lines, the axes over them and the values beside these."""
    last = len(made.axes) - 1
    x = {"field": "order", "type": "quantitative", "axis": None, "scale": {"domain": [-0.1, last + 0.35]}}
    y = {"field": "height", "type": "quantitative", "axis": None, "scale": {"domain": [-EDGE, 1 + EDGE]}}
    hue = {
        "field": "quality",
        "type": "quantitative",
        "scale": {"domain": [0, 0.5, 1], "range": [GREY, "#6f9fc4", SHADE]},
        "legend": None,
    }
    line = {"type": "line", "strokeWidth": 1.4, "strokeJoin": "round"}
    strand = {"x": x, "y": y, "color": hue, "detail": nominal("label"), "opacity": OF_PICKED}
    axes = made.texts.drop_duplicates("order").assign(height=-EDGE, top=1 + EDGE)
    rule = {"x": x, "y": y, "y2": {"field": "top"}}
    words = {"x": x, "y": y, "text": nominal("text")}
    beside = {"type": "text", "align": "left", "dx": 6, "fontSize": 11, "limit": 130}
    layers = [
        layer(made.lines, line, strand | told("label", "told"), also=["told"]),
        layer(axes, {"type": "rule", "color": INK, "strokeWidth": 1, "opacity": 0.5}, rule),
        layer(made.texts, beside | {"color": HALO, "stroke": HALO, "strokeWidth": 4}, words),
        layer(made.texts, beside | {"color": INK}, words),
        layer(
            axes.assign(text=axes["axis"], height=1 + EDGE),
            {"type": "text", "dy": -12, "fontSize": 12, "fontWeight": "bold", "color": INK, "limit": 150},
            words,
        ),
    ]
    body = {"params": [{"name": PICKED, "value": []}], "width": 920, "height": 280, "layer": layers}
    return chart(f"{', '.join(made.axes[:-1])} and {made.axes[-1]} of every setting", body)
