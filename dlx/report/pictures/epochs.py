"""Accuracy and loss by epoch: all settings in one panel, and a panel for each."""

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.curves import Curves, trace
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.panel import describe, metric_axis, panel
from dlx.report.pictures.style import (
    COLOURS,
    GREYS,
    PANELS,
    QUANTITY,
    SHOWN,
    SPLITS,
    chart,
    colour,
    epoch_axis,
    legend_below,
)
from dlx.report.summary import Summary
from dlx.report.text import write_count


def epochs(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw every metric by epoch, once all settings together and once one by one."""
    curves = trace(Analysis(study, layout, summary, None))
    together, one_by_one = [], []
    many = len(curves.labels) > 1
    by_split = trace(Analysis(study, layout, summary, None), apart=True) if many else curves
    for metric in curves.axes:
        part = by_split.of(metric=metric)
        if many:
            caption = describe(part, len(COLOURS), behind(len(curves.labels)))
            spec = compare(part, metric)
            together.append(Chart(metric, f"{metric.title()} by epoch", caption, spec, live=True))
        part = curves.of(metric=metric)
        name, title = (f"{metric}_by_setting", "setting by setting") if many else (metric, "by epoch")
        caption = describe(part, PANELS, "the others are not drawn")
        one_by_one.append(Chart(name, f"{metric.title()} {title}", caption, each(part, metric), wide=many))
    return together + one_by_one


def behind(settings: int) -> str:
    """Say what becomes of the settings after those in colour."""
    rest = settings - len(COLOURS)
    return "the others are thin and grey" if rest <= GREYS else f"the next {GREYS} are thin and grey"


def compare(curves: Curves, metric: str) -> Spec:
    """Put all settings into one panel for validation and one for training, the first eight in colour.

    `curves`: with an axis for each split.
    """
    splits = [split for split in SPLITS if f"{metric} {split}" in curves.axes]
    labels = curves.labels[: len(COLOURS)]
    drawn = curves.first(len(COLOURS) + GREYS)
    panels = [
        {"width": 440, "height": 190}
        | panel(
            drawn.of(split=split),
            colour("label", labels, legend_below(labels)),
            x=epoch_axis("epoch" if split == splits[-1] else None, curves.epochs),
            y=metric_axis(curves.axes[f"{metric} {split}"], f"{split} {QUANTITY[metric]}"),
            name=f"{metric} {split}",
        )
        for split in splits
    ]
    return chart(
        f"{metric} by epoch, {write_count(len(curves.labels), 'setting')}",
        {"params": [{"name": SHOWN, "value": labels}], "vconcat": panels, "spacing": 40},
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
        | panel(
            curves.of(label=label),
            colour("split", splits, legend),
            x=epoch_axis("epoch" if place + across >= len(labels) else None, curves.epochs),
            y=metric_axis(curves.axes[metric], QUANTITY[metric] if place % across == 0 else None),
        )
        for place, label in enumerate(labels)
    ]
    return chart(f"{metric} by epoch, setting by setting", {"concat": panels, "columns": across})
