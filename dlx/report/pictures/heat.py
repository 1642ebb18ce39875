"""Two swept keys against each other: a heat map of the mean result, a map for each pair of keys."""

from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.style import INK, SHADE, chart, layer
from dlx.report.summary import Summary
from dlx.report.text import METRIC_NAMES, MISSING, visible, write_count, write_metric, write_value

if TYPE_CHECKING:
    import pandas as pd

KEYS = 16  # of which pairs are looked at: of 3000 there would be four million
MAPS = 3  # pairs of keys
VALUES = (2, 16)  # of a key, at least and at most
FILLED = 0.5  # of the cells, at least: a random search is no grid
WHITE = 0.55  # shade from which on text is white


@dataclass(frozen=True)
class Map:
    """One heat map. `across` and `down`: the keys' short names; `choices`: of each, its texts in order.

    `cells`: `across down mean n text shade dark`, a row for each pair of values that has a setting: the mean
    over its settings' means (NaN and a dash where no run completed), their number, and the shade from 0
    (worst) to 1 (best).
    """

    across: str
    down: str
    choices: tuple[list[str], list[str]]
    cells: "pd.DataFrame"


def heat(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:  # noqa: ARG001
    """Draw a map for each of the first pairs of keys whose values form a grid."""
    pairs = (pair for pair in combinations(layout.keys[:KEYS], 2) if _is_grid(summary, *pair))
    charts = []
    for place, (first, second) in enumerate(islice(pairs, MAPS)):
        made = cross(layout, summary, first, second)
        if made.cells["mean"].isna().all():
            continue
        title = f"{made.down} by {made.across}"
        caption = _caption(made, summary)
        charts.append(Chart(f"heat_{place + 1}", title, caption, shaded(made, summary), wide=False))
    return charts


def _is_grid(summary: Summary, first: str, second: str) -> bool:
    texts = summary.table[[first, second]].map(write_value)
    counts = [texts[key].nunique() for key in (first, second)]
    filled = len(texts.drop_duplicates()) / (counts[0] * counts[1])
    return all(VALUES[0] <= count <= VALUES[1] for count in counts) and filled >= FILLED


def cross(layout: Design, summary: Summary, first: str, second: str) -> Map:
    """Average the settings' means in each cell; the key of more values goes across."""
    counts = {key: summary.table[key].map(write_value).nunique() for key in (first, second)}
    across, down = (first, second) if counts[first] >= counts[second] else (second, first)
    frame = summary.table[[across, down]].map(write_value).set_axis(["across", "down"], axis="columns")
    frame["mean"] = summary.table[f"{summary.metric}_last_mean"].astype("float64")
    cells = frame.groupby(["across", "down"], sort=False)["mean"].agg(mean="mean", n="size").reset_index()
    low, high = cells["mean"].min(), cells["mean"].max()
    share = (cells["mean"] - low) / (high - low) if high > low else cells["mean"] * 0 + 1
    cells["shade"] = share if summary.higher else 1 - share
    cells["dark"] = cells["shade"] >= WHITE
    cells["text"] = [write_metric(summary.metric, mean) for mean in cells["mean"]]
    return Map(
        visible(layout.names[across]),
        visible(layout.names[down]),
        (ordered_values(summary, across), ordered_values(summary, down)),
        cells,
    )


def ordered_values(summary: Summary, key: str) -> list[str]:
    """Return the texts of a key's values: numbers ascending, then words in the order of the table."""
    values = list(summary.table[key])
    numbers = sorted(
        {value for value in values if isinstance(value, int | float) and not isinstance(value, bool)}
    )
    texts = [write_value(value) for value in [*numbers, *values]]
    return list(dict.fromkeys(texts))


def shaded(made: Map, summary: Summary) -> Spec:
    """Shade each cell by its mean and write it there, where there is room."""
    width, height = (len(values) for values in made.choices)
    side = max(26, min(64, 430 // width))
    axis = {"domain": False, "ticks": False, "labelLimit": 110, "labelPadding": 4}
    place = {"type": "nominal", "scale": {"padding": 0.04}}
    x = place | {
        "field": "across",
        "sort": made.choices[0],
        "axis": axis | {"title": made.across, "labelAngle": 0 if side > 50 else -40},
    }
    y = place | {"field": "down", "sort": made.choices[1], "axis": axis | {"title": made.down}}
    opacity = {
        "field": "shade",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": [0.05, 1]},
        "legend": None,
    }
    completed = made.cells["mean"].notna()
    layers = [
        layer(made.cells[completed], {"type": "rect", "color": SHADE}, {"x": x, "y": y, "opacity": opacity})
    ]
    for dark, ink in ((True, "#ffffff"), (False, INK)):
        chosen = (made.cells["dark"] == dark) & (~completed | (side > 40))
        text = {"type": "text", "color": ink, "fontSize": 11}
        layers.append(
            layer(made.cells[chosen], text, {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}})
        )
    return chart(
        f"mean {METRIC_NAMES[summary.metric]} by {made.across} and {made.down}",
        {"width": side * width, "height": max(30, side * 2 // 3) * height, "layer": layers},
    )


def _caption(made: Map, summary: Summary) -> str:
    end = "higher" if summary.higher else "lower"
    low, high = (write_metric(summary.metric, made.cells["mean"].agg(way)) for way in ("min", "max"))
    sentences = [
        f"Mean {METRIC_NAMES[summary.metric]} at the last epoch, from {low} to {high}; the bluer, the {end}"
    ]
    if (made.cells["n"] > 1).any():
        most = int(made.cells["n"].max())
        sentences.append(
            f"A cell is the mean of up to {write_count(most, 'setting')}, whatever their other keys"
        )
    if made.cells["mean"].isna().any():
        sentences.append(f"{MISSING}: no run completed")
    return ". ".join(sentences) + "."
