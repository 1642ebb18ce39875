"""Validation accuracy of each class at the last epoch, as bars, with a dot for each run.

Axes: N samples, K outputs, C classes.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.reading import Found, read_first
from dlx.report.pictures.style import INK, chart, colour, layer, legend_below, quantitative
from dlx.report.summary import Summary
from dlx.report.text import visible
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import Predictions, read_predictions

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = 6
CLASSES = 20
TITLE = "Validation accuracy of each class"


@dataclass(frozen=True)
class ByClass:
    """`means`: columns `label class accuracy low high n`, over the runs of a setting that have the class.

    `runs`: columns `label run class accuracy`. `classes`: those drawn, in the data's order, or the worst
    first if there are more than twenty. `total`: how many the data have.
    """

    means: "pd.DataFrame"
    runs: "pd.DataFrame"
    classes: list[str]
    labels: list[str]
    total: int


def classes(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw a group of bars for each class, a bar for each of the first settings."""
    found = read_first(classifying(study), layout, summary, PREDICTIONS, read_predictions, SETTINGS)
    if not found.by_setting:
        return found.instead("classes", TITLE)
    accuracies = by_class(found, class_names(study, found))
    sentences = [f"{found.means('Bars')}, at the last epoch"]
    if found.several:
        sentences.append("Dots are the runs")
    if accuracies.total > len(accuracies.classes):
        sentences.append(f"The worst {len(accuracies.classes)} of {accuracies.total} classes")
    return [Chart("classes", TITLE, found.caption(sentences), bars(accuracies), wide=True)]


def classifying(study: StudyData) -> StudyData:
    """Return the study without runs that have no accuracy: their outputs are no classes."""
    return replace(study, runs=study.runs[study.runs["val_accuracy_last"].notna()])


def class_names(study: StudyData, found: Found[Predictions]) -> list[str]:
    """Return the classes' names, all different, from a result that names as many as there are.

    Settings may have data of different classes: then each class goes by its number alone.
    """
    every = {run: read for runs in found.by_setting.values() for run, read in runs.items()}
    count = max(max(2, read.last_outputs.shape[1]) for read in every.values())
    given: list[Any] = [study.runs["classes"].to_dict()[run] for run in every]
    first = given[0]
    if not isinstance(first, list) or len(first) != count or any(each != first for each in given):
        return [str(number) for number in range(count)]
    names = [visible(str(name)) for name in first]
    return [f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names)]


def predicted(read: Predictions) -> NDArray[np.integer]:
    """Return the class of each sample by the last epoch's outputs, [N]: the largest, or the sign of one."""
    outputs_NK = read.last_outputs
    single = outputs_NK.shape[1] == 1
    return (outputs_NK[:, 0] > 0).astype(np.int64) if single else outputs_NK.argmax(axis=1)


def by_class(found: Found[Predictions], names: list[str]) -> ByClass:
    """Compute each run's share of every class's samples that it gets right, and their mean by setting."""
    import pandas as pd

    rows = []
    for label, runs in found.by_setting.items():
        for run, read in runs.items():
            samples_C = np.bincount(read.labels, minlength=len(names))
            right_C = np.bincount(read.labels[predicted(read) == read.labels], minlength=len(names))
            rows += [
                (label, run, names[place], right_C[place] / samples_C[place])
                for place in np.flatnonzero(samples_C)
            ]
    frame = pd.DataFrame(rows, columns=["label", "run", "class", "accuracy"])
    means = (
        frame.groupby(["label", "class"], sort=False)["accuracy"]
        .agg(accuracy="mean", low="min", high="max", n="count")
        .reset_index()
    )
    seen = [name for name in names if name in set(frame["class"])]
    drawn = seen
    if len(seen) > CLASSES:
        drawn = means.groupby("class")["accuracy"].mean().loc[seen].sort_values(kind="stable").index.tolist()
    drawn = drawn[:CLASSES]
    return ByClass(
        means[means["class"].isin(drawn)],
        frame[frame["class"].isin(drawn)],
        drawn,
        list(found.by_setting),
        len(seen),
    )


def bars(accuracies: ByClass) -> Spec:
    """Draw the bars of a class side by side, the runs as dots over their bar."""
    angle = 0 if len(accuracies.classes) * max(map(len, accuracies.classes)) <= 140 else -40
    encoding = {
        "x": {
            "field": "class",
            "type": "nominal",
            "sort": accuracies.classes,
            "axis": {"title": "class", "labelAngle": angle, "labelLimit": 120, "ticks": False},
            "scale": {"paddingInner": 0.22, "paddingOuter": 0.1},
        },
        "y": quantitative("accuracy", "accuracy (fraction)", {"tickCount": 5}, {"domain": [0, 1]}),
    }
    side_by_side = {"xOffset": {"field": "label", "type": "nominal", "sort": accuracies.labels}}
    encoding |= side_by_side if len(accuracies.labels) > 1 else {}
    legend = legend_below(accuracies.labels, wide=True) | {"symbolType": "square", "symbolStrokeWidth": 0}
    colours = colour(
        "label", accuracies.labels, (legend | {"symbolSize": 120}) if len(accuracies.labels) > 1 else None
    )
    layers = [layer(accuracies.means, {"type": "bar", "fillOpacity": 0.75}, encoding | {"color": colours})]
    if (accuracies.means["n"] > 1).any():
        dots = {"type": "point", "filled": True, "size": 14, "color": INK, "opacity": 0.75}
        layers.append(layer(accuracies.runs, dots, encoding))
    return chart(
        "validation accuracy of each class at the last epoch", {"width": 920, "height": 260, "layer": layers}
    )
