"""Pairwise differences with their 95% intervals, coloured by the verdict."""

from typing import TYPE_CHECKING

from dlx.report.charts import Chart, Spec
from dlx.report.comparison import Comparison, Comparisons
from dlx.report.design import Design
from dlx.report.pictures.style import GREY, INK, OF_PICKED, PICKED, chart, layer, nominal, quantitative, told
from dlx.report.summary import Summary
from dlx.report.text import METRIC_NAMES, visible

if TYPE_CHECKING:
    import pandas as pd

PAIRS = 24
COLOUR_OF = {"better": "#009e73", "worse": "#d55e00", "equivalent": "#0072b2", "undecided": GREY}


def differences(layout: Design, summary: Summary, comparisons: Comparisons | None) -> list[Chart]:
    """Draw the settings against the best one, and against the baseline if there is one."""
    if comparisons is None:
        return []
    charts = []
    for name, title, pairs in (
        ("differences", "Against the best setting", comparisons.against_best),
        ("differences_baseline", "Against the baseline", comparisons.against_baseline),
    ):
        frame = listed(layout, pairs[:PAIRS])
        if not frame.empty:  # without a shared seed nothing has been compared
            reference = layout.labels[pairs[0].reference]
            caption = (
                f"Mean difference in {METRIC_NAMES[summary.metric]} to {reference} at the {comparisons.rule} "
                "epoch, over shared seeds, with its 95% interval. Verdicts come from the tests."
            )
            if comparisons.margin > 0:  # NaN where none was declared
                caption += f" The strip is the margin, ±{comparisons.margin:g}, that counts as no difference."
            if len(pairs) > PAIRS:
                caption += f" The first {PAIRS} of {len(pairs)} settings."
            charts.append(
                Chart(name, title, caption, forest(frame, comparisons.margin), wide=True, live=True)
            )
    return charts


def listed(layout: Design, pairs: list[Comparison]) -> "pd.DataFrame":
    """Return `label difference low high verdict told`, a row a pair; what has no interval is left out."""
    import pandas as pd

    rows = [
        (
            layout.labels[each.setting],
            each.difference,
            each.low,
            each.high,
            each.verdict,
            visible(each.sentence),
        )
        for each in pairs
        if abs(each.difference) < float("inf")
    ]
    return pd.DataFrame(rows, columns=["label", "difference", "low", "high", "verdict", "told"])


def forest(frame: "pd.DataFrame", margin: float) -> Spec:
    """Put a row for each pair, the difference across, a line at none and a strip of the margin."""
    import pandas as pd

    verdicts = [verdict for verdict in COLOUR_OF if verdict in set(frame["verdict"])]
    legend = {
        "orient": "top",
        "title": None,
        "symbolType": "circle",
        "symbolStrokeWidth": 0,
        "symbolSize": 80,
    }
    hue = nominal("verdict") | {
        "scale": {"domain": verdicts, "range": [COLOUR_OF[verdict] for verdict in verdicts]},
        "legend": legend,
    }
    x = quantitative("difference", "difference in the mean", {"tickCount": 7}, {"zero": True})
    axis = {"title": None, "labelLimit": 320, "ticks": False, "domain": False, "grid": False}
    y = nominal("label") | {"sort": frame["label"].tolist(), "axis": axis}
    strip = pd.DataFrame({"difference": [-margin], "high": [margin]})
    edges = {"x": x, "x2": {"field": "high"}}
    along = {"y": y, "color": hue, "opacity": OF_PICKED} | told("label", "told")
    ranges = {"x": x | {"field": "low"}, "x2": {"field": "high"}} | along
    finite = frame[(frame[["low", "high"]].abs() < float("inf")).all(axis="columns")]
    layers = [
        layer(strip[strip["high"] > 0], {"type": "rect", "color": GREY, "opacity": 0.18}, edges),
        layer(strip.assign(difference=0.0), {"type": "rule", "color": INK, "strokeDash": [3, 3]}, {"x": x}),
        layer(finite, {"type": "rule", "strokeWidth": 1.8}, ranges, also=["told"]),
        layer(frame, {"type": "point", "filled": True, "size": 70}, {"x": x} | along, also=["told"]),
    ]
    return chart(
        "difference of each setting, with its 95% interval",
        {
            "params": [{"name": PICKED, "value": []}],
            "width": 560,
            "height": {"step": 24},
            "layer": [each for each in layers if each["data"]["values"]],
        },
    )
