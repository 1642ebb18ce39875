"""Forest plot: the paired difference of each setting with its 95% interval, coloured by the verdict."""

from collections.abc import Sequence

import pandas as pd

from dlx.metrics.catalogue import label_of, sentence_case
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.comparison import Comparison, Comparisons
from dlx.report.comparison_text import sentence
from dlx.report.plots.style import (
    GREY,
    INK,
    OF_PICKED,
    PICKED,
    layer,
    layered,
    nominal,
    quantitative,
    row_axis,
    tooltip,
)
from dlx.report.text import visible

PAIRS = 24
COLOUR_OF = {
    "better": "#009e73",
    "worse": "#d55e00",
    "equivalent": "#0072b2",
    "equal": "#0072b2",
    "undecided": GREY,
}


def differences(analysis: Analysis) -> list[Chart]:
    """Draw the settings against the best one, and against the baseline if there is one."""
    comparisons, labels = analysis.comparisons, analysis.design.labels
    charts = []
    for name, title, pairs in (
        ("differences", "Against the best setting", comparisons.against_best),
        ("differences_baseline", "Against the baseline", comparisons.against_baseline),
    ):
        frame = rows_of_pairs(labels, comparisons, pairs[:PAIRS])
        if frame.empty:  # without a shared seed nothing has been compared
            continue
        caption = (
            f"{sentence_case(label_of(analysis.summary.metric))} of each setting minus that of "
            f"{_reference(labels, pairs)} at the last epoch: mean and 95% interval. The "
            "intervals hold together. Colours are the verdicts of the tests."
        )
        if comparisons.margin > 0:  # NaN where none was declared
            caption += f" The grey strip is the margin of ±{comparisons.margin:g} that counts as equivalent."
        if len(pairs) > PAIRS:
            caption += f" Only the first {PAIRS} of {len(pairs)} settings are drawn."
        charts.append(Chart(name, title, caption, forest(frame, comparisons.margin), wide=True, live=True))
    return charts


def _reference(labels: Sequence[str], pairs: Sequence[Comparison]) -> str:
    references = {pair.reference for pair in pairs}
    return labels[references.pop()] if len(references) == 1 else "its own baseline"


def rows_of_pairs(
    labels: Sequence[str], comparisons: Comparisons, pairs: Sequence[Comparison]
) -> pd.DataFrame:
    """Return `label difference low high verdict tooltip`, a row for each pair that has a difference."""
    rows = [
        (
            *(labels[pair.setting], pair.difference, pair.low, pair.high, pair.verdict),
            visible(sentence(pair, labels, comparisons)),
        )
        for pair in pairs
        if abs(pair.difference) < float("inf")
    ]
    return pd.DataFrame(rows, columns=["label", "difference", "low", "high", "verdict", "tooltip"])


def forest(frame: pd.DataFrame, margin: float) -> Spec:
    """Draw a row for each pair: its difference and interval, a line at zero, a strip for the margin."""
    x = quantitative("difference", "difference in the mean", {"tickCount": 7}, {"zero": True})
    labels = frame["label"].tolist()
    y = nominal("label") | {"sort": labels, "axis": row_axis(labels, 320) | {"grid": False}}
    strip = pd.DataFrame({"difference": [-margin], "high": [margin]})
    edges = {"x": x, "x2": {"field": "high"}}
    along = {"y": y, "color": verdict_colour(frame), "opacity": OF_PICKED} | tooltip("label", "tooltip")
    ranges = {"x": x | {"field": "low"}, "x2": {"field": "high"}} | along
    finite = frame[(frame[["low", "high"]].abs() < float("inf")).all(axis="columns")]
    layers = [
        layer(strip[strip["high"] > 0], {"type": "rect", "color": GREY, "opacity": 0.18}, edges),
        layer(strip.assign(difference=0.0), {"type": "rule", "color": INK, "strokeDash": [3, 3]}, {"x": x}),
        layer(finite, {"type": "rule", "strokeWidth": 1.8}, ranges, also=["tooltip"]),
        layer(frame, {"type": "point", "filled": True, "size": 70}, {"x": x} | along, also=["tooltip"]),
    ]
    picked = {"name": PICKED, "value": []}
    return layered("difference of each setting, with its 95% interval", 560, {"step": 24}, layers, picked)


def verdict_colour(frame: pd.DataFrame) -> Spec:
    """Return the colours of the verdicts that occur, with a legend."""
    verdicts = [verdict for verdict in COLOUR_OF if verdict in set(frame["verdict"])]
    symbol = {"symbolType": "circle", "symbolStrokeWidth": 0, "symbolSize": 80}
    return nominal("verdict") | {
        "scale": {"domain": verdicts, "range": [COLOUR_OF[verdict] for verdict in verdicts]},
        "legend": {"orient": "top", "title": None} | symbol,
    }
