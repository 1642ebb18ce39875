"""Several swept keys at once: heat maps of two keys, and parallel coordinates of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import pandas as pd

from dlx.metrics.catalogue import label_of, sentence_case
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.plots.panels import cell_texts, shaded_cells
from dlx.report.plots.style import (
    GREY,
    HALO,
    INK,
    OF_PICKED,
    PICKED,
    SHADE,
    label_angle,
    layer,
    layered,
    nominal,
    quantitative,
    row_axis,
    tooltip,
)
from dlx.report.summary import Summary
from dlx.report.text import MISSING, visible, write_count, write_metric, write_value

MAPS = 3  # at most
MAP_KEYS = 16  # whose pairs are considered: 3000 keys would have four million pairs
MAP_VALUES = (2, 16)  # fewest and most values of a key
FILLED = 0.5  # smallest share of filled cells: a random search fills fewer
WHITE = 0.55  # shade above which text is white

AXES = (2, 7)  # fewest and most, without that of the result
LINES = (4, 400)  # fewest and most
VALUE_LABELS = 8  # beside an axis; with more values, only some are labelled
EDGE = 0.04  # how far an axis is drawn beyond its ends


@dataclass(frozen=True)
class HeatMap:
    """`across`, `down`: the keys' short names. `choices`: the texts of their values, in order.

    `cells`: `across down mean n text shade dark`, a row for each pair of values that occurs: the mean over
    its settings' means (NaN and a dash where no run completed), the number of settings, and the shade from 0
    (worst) to 1 (best).
    """

    across: str
    down: str
    choices: tuple[list[str], list[str]]
    cells: pd.DataFrame


def heat_maps(analysis: Analysis) -> list[Chart]:
    """Draw a map for each of the first pairs of keys whose values form a grid."""
    summary = analysis.summary
    pairs = (pair for pair in combinations(analysis.design.keys[:MAP_KEYS], 2) if _is_grid(summary, *pair))
    charts = []
    for number, (first, second) in enumerate(islice(pairs, MAPS), 1):
        heat_map = cross(analysis, first, second)
        if heat_map.cells["mean"].isna().all():
            continue
        title = f"{sentence_case(label_of(summary.metric))} by {heat_map.down} and {heat_map.across}"
        charts.append(Chart(f"heat_{number}", title, _caption(heat_map, summary), shaded(heat_map, summary)))
    return charts


def _is_grid(summary: Summary, first: str, second: str) -> bool:
    texts = summary.table[[first, second]].map(write_value)
    counts = [texts[key].nunique() for key in (first, second)]
    filled = len(texts.drop_duplicates()) / (counts[0] * counts[1])
    return all(MAP_VALUES[0] <= count <= MAP_VALUES[1] for count in counts) and filled >= FILLED


def cross(analysis: Analysis, first: str, second: str) -> HeatMap:
    """Average the settings' means in each cell; the key with more values goes across."""
    names, summary = analysis.design.names, analysis.summary
    counts = {key: summary.table[key].map(write_value).nunique() for key in (first, second)}
    across, down = (first, second) if counts[first] >= counts[second] else (second, first)
    frame = summary.table[[across, down]].map(write_value).set_axis(["across", "down"], axis="columns")
    frame["mean"] = summary.table[f"{summary.metric}_last_mean"].astype("float64")
    cells = frame.groupby(["across", "down"], sort=False)["mean"].agg(mean="mean", n="size").reset_index()
    cells["shade"] = quality(cells["mean"], summary)
    cells["dark"] = cells["shade"] >= WHITE
    cells["text"] = [write_metric(summary.metric, mean) for mean in cells["mean"]]
    return HeatMap(
        visible(names[across]),
        visible(names[down]),
        (ordered_values(summary, across), ordered_values(summary, down)),
        cells,
    )


def quality(results: "pd.Series[float]", summary: Summary) -> "pd.Series[float]":
    """Scale results to 0 (worst) to 1 (best)."""
    return scaled(results) if summary.higher else 1 - scaled(results)


def scaled(results: "pd.Series[float]") -> "pd.Series[float]":
    """Scale results to 0 (lowest) to 1 (highest); equal results are all 1."""
    low, high = float(results.min()), float(results.max())
    return (results - low) / (high - low) if high > low else results * 0 + 1


def ordered_values(summary: Summary, key: str) -> list[str]:
    """Return the texts of a key's values: numbers ascending, then words in the order of the table."""
    values = list(summary.table[key])
    numbers = sorted(
        {value for value in values if isinstance(value, int | float) and not isinstance(value, bool)}
    )
    texts = [write_value(value) for value in [*numbers, *values]]
    return list(dict.fromkeys(texts))


def shaded(heat_map: HeatMap, summary: Summary) -> Spec:
    """Shade each cell by its mean, and write the mean in it if there is room."""
    width, height = (len(values) for values in heat_map.choices)
    side = max(26, min(64, 430 // width))
    across, down = heat_map.choices
    columns = {
        "title": heat_map.across,
        "domain": False,
        "ticks": False,
        "labelLimit": 110,
        "labelPadding": 4,
    }
    columns |= label_angle(across, side * width)
    rows = row_axis(down, 110) | {"title": heat_map.down, "labelPadding": 4}
    x = nominal("across") | {"sort": across, "axis": columns, "scale": {"padding": 0.04}}
    y = nominal("down") | {"sort": down, "axis": rows, "scale": {"padding": 0.04}}
    completed = heat_map.cells["mean"].notna()
    layers = [
        shaded_cells(heat_map.cells[completed], x, y, "shade", {"domain": [0, 1], "range": [0.05, 1]}),
        *cell_texts(heat_map.cells[~completed | (side > 40)], x, y, size=11),
    ]
    description = f"mean {label_of(summary.metric)} by {heat_map.across} and {heat_map.down}"
    return layered(description, side * width, max(30, side * 2 // 3) * height, layers)


def _caption(heat_map: HeatMap, summary: Summary) -> str:
    end = "higher" if summary.higher else "lower"
    low, high = (write_metric(summary.metric, heat_map.cells["mean"].agg(way)) for way in ("min", "max"))
    sentences = [f"Mean {label_of(summary.metric)} at the last epoch, from {low} to {high}; darker is {end}"]
    if (heat_map.cells["n"] > 1).any():
        most = int(heat_map.cells["n"].max())
        sentences.append(f"Cells average over the other keys: up to {write_count(most, 'setting')} each")
    if heat_map.cells["mean"].isna().any():
        sentences.append(f"{MISSING}: no run completed")
    return ". ".join(sentences) + "."


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates.

    `lines`: `label order height quality tooltip`, a row for each setting and axis, the best settings last;
    the height on the axis is from 0 (bottom) to 1, the quality of the result from 0 (worst) to 1. `texts`:
    `axis order height text`, the values beside the axes. `axes`: their headings, the result's last.
    """

    lines: pd.DataFrame
    texts: pd.DataFrame
    axes: list[str]


def parallel_coordinates(analysis: Analysis) -> list[Chart]:
    """Draw a line for each setting from the values of its keys to its result, if several keys vary."""
    summary = analysis.summary
    completed = summary.table[summary.table[f"{summary.metric}_last_mean"].notna()]
    varying = [key for key in analysis.design.keys if len(set(completed[key].map(write_value))) > 1]
    if not AXES[0] <= len(varying) <= AXES[1] or len(completed) < LINES[0]:
        return []
    caption = (
        f"Each line is a setting: the values of its keys, then its mean {label_of(summary.metric)} at "
        "the last epoch. Darker blue is better. Values of a key are spaced evenly."
    )
    if len(completed) > LINES[1]:
        caption += f" Only the first {LINES[1]} of {len(completed)} settings in the table are drawn."
    if dropped := len(summary.table) - len(completed):
        caption += f" Not shown: {write_count(dropped, 'setting')} without a completed run."
    spec = strands(connect(analysis, varying))
    return [Chart("parallel", "Every setting at once", caption, spec, wide=True, live=True)]


def connect(analysis: Analysis, keys: Sequence[str]) -> Parallel:
    """Place every setting's values on the axes; the values of a key are evenly spaced, in order."""
    summary = analysis.summary
    column = f"{summary.metric}_last_mean"
    completed = summary.table[summary.table[column].notna()].head(LINES[1])
    worst_first = completed.iloc[::-1]
    result = label_of(summary.metric)
    axes = [*(visible(analysis.design.names[key]) for key in keys), result]
    heights_by_axis, texts = [], []
    for order, key in enumerate(keys):
        values = ordered_values(summary, key)
        height_of = {text: index / max(1, len(values) - 1) for index, text in enumerate(values)}
        step = -(-len(values) // VALUE_LABELS)
        texts += [(axes[order], order, height_of[text], text or MISSING) for text in values[::step]]
        heights_by_axis.append([height_of[write_value(value)] for value in worst_first[key]])
    results = worst_first[column]
    heights_by_axis.append(scaled(results).tolist())
    texts += [
        (result, len(keys), end, write_metric(summary.metric, value))
        for end, value in ((0, results.min()), (1, results.max()))
    ]
    tooltips = [f"{result} {write_metric(summary.metric, value)}" for value in results]
    settings = list(zip(worst_first["label"], quality(results, summary), tooltips, strict=True))
    rows = [
        (label, order, height, share, tip)
        for order, heights in enumerate(heights_by_axis)
        for height, (label, share, tip) in zip(heights, settings, strict=True)
    ]
    return Parallel(
        pd.DataFrame(rows, columns=["label", "order", "height", "quality", "tooltip"]),
        pd.DataFrame(texts, columns=["axis", "order", "height", "text"]),
        axes,
    )


def strands(parallel: Parallel) -> Spec:
    """Draw the lines, the axes on top of them, and the values beside the axes."""
    last = len(parallel.axes) - 1
    x = quantitative("order", None, None, {"domain": [-0.1, last + 0.35]}) | {"axis": None}
    y = quantitative("height", None, None, {"domain": [-EDGE, 1 + EDGE]}) | {"axis": None}
    hue = {
        "field": "quality",
        "type": "quantitative",
        "scale": {"domain": [0, 0.5, 1], "range": [GREY, "#6f9fc4", SHADE]},
        "legend": None,
    }
    line = {"type": "line", "strokeWidth": 1.4, "strokeJoin": "round"}
    strand = {"x": x, "y": y, "color": hue, "detail": nominal("label"), "opacity": OF_PICKED}
    axes = parallel.texts.drop_duplicates("order").assign(height=-EDGE, top=1 + EDGE)
    rule = {"x": x, "y": y, "y2": {"field": "top"}}
    words = {"x": x, "y": y, "text": nominal("text")}
    beside = {"type": "text", "align": "left", "dx": 6, "fontSize": 11, "limit": 130}
    title = {"type": "text", "dy": -12, "fontSize": 12, "fontWeight": "bold", "color": INK, "limit": 150}
    layers = [
        layer(parallel.lines, line, strand | tooltip("label", "tooltip"), also=["tooltip"]),
        layer(axes, {"type": "rule", "color": INK, "strokeWidth": 1, "opacity": 0.5}, rule),
        layer(parallel.texts, beside | {"color": HALO, "stroke": HALO, "strokeWidth": 4}, words),
        layer(parallel.texts, beside | {"color": INK}, words),
        layer(axes.assign(text=axes["axis"], height=1 + EDGE), title, words),
    ]
    description = f"{', '.join(parallel.axes[:-1])} and {parallel.axes[-1]} of every setting"
    return layered(description, 920, 280, layers, {"name": PICKED, "value": []})
