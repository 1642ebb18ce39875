"""Seconds until a run first reaches an accuracy: what a setting costs, and not only where it ends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.style import COLOURS, chart, colour, layer, nominal, quantitative
from dlx.report.pictures.ticks import log_ticks
from dlx.report.summary import Summary
from dlx.report.text import write_metric

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = 16
SHARES = (0.8, 0.95, 0.99)  # of the best setting's mean at the last epoch
STEP = 200  # targets are multiples of 1/STEP
DECADE = 10.0


@dataclass(frozen=True)
class Waits:
    """When settings reach the targets.

    `frame`: `label target seconds low high`, a row for each setting and target that more than half of its
    runs reached: the median over all runs, one that never reached it as infinitely slow; the fastest and
    slowest of those that did.

    `targets`: as they are written, ascending. `labels`: the settings drawn. `settings`: how many there are.
    """

    frame: "pd.DataFrame"
    targets: list[str]
    labels: list[str]
    settings: int


def time_to_accuracy(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw for each of the first settings when it reached three accuracies."""
    if summary.metric != "val_accuracy" or len(summary.table) < 2 or study.histories.empty:
        return []
    found = waits(study, layout, summary)
    if found.frame.empty:
        return []
    caption = (
        "Seconds of wall time, validation included, until validation accuracy first reached each target: the "
        "median over the runs of a setting, one that never reached it as slower than any; bars from the "
        "fastest to the slowest that did. No point: half of the runs or more never reached it. Runs that "
        "share a machine slow each other down."
    )
    if found.settings > len(found.labels):
        caption += f" The first {len(found.labels)} of {found.settings} settings in the table."
    return [Chart("time_to_accuracy", "Time to accuracy", caption, ladder(found))]


def waits(study: StudyData, layout: Design, summary: Summary) -> Waits:
    """Find for each run and target the first epoch at or above it, and take medians by setting."""
    import pandas as pd

    best = float(summary.table["val_accuracy_last_mean"].fillna(0.0).max())
    targets = sorted({int(best * share * STEP) / STEP for share in SHARES} - {0.0})
    table = summary.table.head(SETTINGS)
    settings = study.runs.index.map(layout.of_run)
    kept = study.runs.index[(study.runs["status"] != "failed") & settings.isin(table["setting"])]
    histories = study.histories[study.histories["run"].isin(kept)]
    labels = dict(zip(table["setting"], table["label"], strict=True))
    rows = []
    for target in targets:
        reached = histories[histories["val_accuracy"] >= target].groupby("run")["time"].min()
        waited = reached.astype("float64").reindex(kept, fill_value=float("inf")).fillna(float("inf"))
        for setting, each in waited.groupby(waited.index.map(layout.of_run)):
            finite = each[each < float("inf")]
            if 2 * len(finite) > len(each):
                rows.append(
                    (
                        labels[setting],
                        write_metric("accuracy", target),
                        each.median(),
                        finite.min(),
                        finite.max(),
                    )
                )
    columns = ["label", "target", "seconds", "low", "high"]
    return Waits(
        pd.DataFrame(rows, columns=columns),
        [write_metric("accuracy", target) for target in targets],
        table["label"].tolist(),
        len(summary.table),
    )


def ladder(found: Waits) -> Spec:
    """Put a row for each setting, seconds across, a colour for each target."""
    low, high = float(found.frame["low"].min()), float(found.frame["high"].max())
    log = low > 0 and high / low > DECADE
    scale = {"type": "log", "nice": False, "padding": 10} if log else {"domainMin": 0}
    ticks = {"values": log_ticks(low, high), "format": "~g"} if log else {"tickCount": 6}
    x = quantitative("seconds", "seconds of training", ticks, scale)
    axis = {"title": None, "labelLimit": 150, "ticks": False, "domain": False, "grid": True}
    y = nominal("label") | {"sort": found.labels, "axis": axis, "scale": {"domain": found.labels}}
    legend = {"orient": "top", "title": "first at", "symbolType": "circle", "symbolStrokeWidth": 0}
    hue = colour("target", found.targets, legend | {"symbolSize": 80})
    hue["scale"]["range"] = list(COLOURS[: len(found.targets)])
    ranges = {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y, "color": hue}
    return chart(
        "seconds until each setting first reached an accuracy",
        {
            "width": 300,
            "height": {"step": 22},
            "layer": [
                layer(found.frame, {"type": "rule", "strokeWidth": 1.4, "opacity": 0.6}, ranges),
                layer(
                    found.frame,
                    {"type": "point", "filled": True, "size": 60, "opacity": 1},
                    {"x": x, "y": y, "color": hue},
                ),
            ],
        },
    )
