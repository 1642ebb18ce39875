"""Classes: the validation accuracy of each, at the last epoch and by epoch, and the confusion matrix.

Axes: N samples, K outputs, C classes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.plots.panels import Multiples, arrange, cell_texts, multiples, shaded_cells
from dlx.report.plots.run_files import RunFiles, join_tables, read_first, read_tables
from dlx.report.plots.style import (
    INK,
    PANELS,
    QUANTITY,
    colour,
    label_angle,
    layer,
    layered,
    legend_below,
    nominal,
    quantitative,
    row_axis,
)
from dlx.report.text import visible, write_count
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import Predictions, read_predictions
from dlx.run.probes import CLASSES, read_classes

SETTINGS = 6
MOST_CLASSES = 20  # drawn
DARK = 30.0  # per cent of a row above which a cell needs white text
LAST_TITLE = "Validation accuracy of each class"
CURVES_TITLE = "Validation accuracy of each class by epoch"


@dataclass(frozen=True)
class ClassAccuracy:
    """Accuracy at the last epoch.

    `means`: columns `label class accuracy low high n`, over a setting's runs. `runs`: columns `label run
    class accuracy`. `classes`: those drawn, in the data's order or, if there are more than twenty, the worst
    first. `total`: the number of classes in the data.
    """

    means: pd.DataFrame
    runs: pd.DataFrame
    classes: list[str]
    labels: list[str]
    total: int


def accuracy_by_class(analysis: Analysis) -> list[Chart]:
    """Draw a group of bars for each class: bars are settings, dots are runs."""
    files = read_classifications(analysis, SETTINGS)
    if not files.by_setting:
        return files.nothing_drawn("classes", LAST_TITLE)
    accuracy = last_accuracy(files, class_names(analysis, files))
    sentences = [f"{files.means('Bars')}, at the last epoch"]
    if files.several:
        sentences.append("Dots are runs")
    if accuracy.total > len(accuracy.classes):
        sentences.append(f"Only the worst {len(accuracy.classes)} of {accuracy.total} classes are drawn")
    return [Chart("classes", LAST_TITLE, files.caption(sentences), bars(accuracy), wide=True)]


def read_classifications(analysis: Analysis, settings: int) -> RunFiles[Predictions]:
    """Read the predictions of runs with an accuracy; the outputs of other runs are not classes."""
    runs = analysis.data.runs
    classifying = replace(analysis.data, runs=runs[runs["val_accuracy_last"].notna()])
    return read_first(replace(analysis, data=classifying), PREDICTIONS, read_predictions, settings)


def class_names(analysis: Analysis, files: RunFiles[Predictions]) -> list[str]:
    """Return the names of the classes, made unique.

    If the runs name different classes, or not as many as there are outputs, return numbers.
    """
    every = {run: read for runs in files.by_setting.values() for run, read in runs.items()}
    count = max(max(2, read.last_outputs.shape[1]) for read in every.values())
    given: list[Any] = [analysis.data.runs["classes"].to_dict()[run] for run in every]
    first = given[0]
    if not isinstance(first, list) or len(first) != count or any(each != first for each in given):
        return [str(number) for number in range(count)]
    names = [visible(str(name)) for name in first]
    return [f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names)]


def predicted(read: Predictions) -> NDArray[np.integer]:
    """Return each sample's class at the last epoch, [N]: the largest output, or the sign of a single one."""
    outputs_NK = read.last_outputs
    single = outputs_NK.shape[1] == 1
    return (outputs_NK[:, 0] > 0).astype(np.int64) if single else outputs_NK.argmax(axis=1)


def last_accuracy(files: RunFiles[Predictions], names: list[str]) -> ClassAccuracy:
    """Compute the accuracy of each run on each class at the last epoch, and the means by setting."""
    rows = []
    for label, runs in files.by_setting.items():
        for run, read in runs.items():
            samples_C = np.bincount(read.labels, minlength=len(names))
            right_C = np.bincount(read.labels[predicted(read) == read.labels], minlength=len(names))
            rows += [
                (label, run, names[index], right_C[index] / samples_C[index])
                for index in np.flatnonzero(samples_C)
            ]
    frame = pd.DataFrame(rows, columns=["label", "run", "class", "accuracy"])
    means = (
        frame.groupby(["label", "class"], sort=False)["accuracy"]
        .agg(accuracy="mean", low="min", high="max", n="count")
        .reset_index()
    )
    present = [name for name in names if name in set(frame["class"])]
    drawn = present
    if len(present) > MOST_CLASSES:
        by_class = means.groupby("class")["accuracy"].mean().loc[present]
        drawn = by_class.sort_values(kind="stable").index.tolist()[:MOST_CLASSES]
    return ClassAccuracy(
        means[means["class"].isin(drawn)],
        frame[frame["class"].isin(drawn)],
        drawn,
        list(files.by_setting),
        len(present),
    )


def bars(accuracy: ClassAccuracy) -> Spec:
    """Draw the bars of a class side by side, with dots for the runs on top."""
    several = len(accuracy.labels) > 1
    encoding = {
        "x": nominal("class")
        | {
            "sort": accuracy.classes,
            "axis": {"title": "class", "labelLimit": 120, "ticks": False}
            | label_angle(accuracy.classes, 920),
            "scale": {"paddingInner": 0.22, "paddingOuter": 0.1},
        },
        "y": quantitative("accuracy", QUANTITY["accuracy"], {"tickCount": 5}, {"domain": [0, 1]}),
    }
    encoding |= {"xOffset": nominal("label") | {"sort": accuracy.labels}} if several else {}
    square = {"symbolType": "square", "symbolStrokeWidth": 0, "symbolSize": 120}
    legend = legend_below(accuracy.labels, wide=True) | square
    hue = colour("label", accuracy.labels, legend if several else None)
    layers = [layer(accuracy.means, {"type": "bar", "fillOpacity": 0.75}, encoding | {"color": hue})]
    if (accuracy.means["n"] > 1).any():
        dots = {"type": "point", "filled": True, "size": 14, "color": INK, "opacity": 0.75}
        layers.append(layer(accuracy.runs, dots, encoding))
    return layered("validation accuracy of each class at the last epoch", 920, 260, layers)


def class_curves(analysis: Analysis) -> list[Chart]:
    """Draw the accuracy of each class by epoch, a panel for each class, of runs with `probes.classes`."""
    files = read_tables(analysis, CLASSES, read_classes, SETTINGS)
    if not files.by_setting:
        return files.nothing_drawn("class_curves", CURVES_TITLE)
    plan, total = accuracy_by_epoch(files)
    if not plan.panels:  # no run ever had an accuracy
        return []
    plan = same_axes(plan)
    sentences = [files.means("Lines"), *plan.caption]
    if total > len(plan.panels):
        sentences.append(
            f"The {len(plan.panels)} of {total} classes with the lowest final accuracy are drawn"
        )
    spec = multiples(plan, QUANTITY["accuracy"], "validation accuracy by epoch, a panel for each class")
    return [Chart("class_curves", CURVES_TITLE, files.caption(sentences), spec, wide=True)]


def accuracy_by_epoch(files: RunFiles[pd.DataFrame]) -> tuple[Multiples, int]:
    """Average the accuracy of each class over a setting's runs; also return the number of classes.

    A curve ends at the last epoch that all of a setting's runs have. If there are more than twelve classes,
    those with the lowest final accuracy are kept, averaged over settings.
    """
    frame = join_tables(files)
    number = frame.groupby(["run", "epoch"]).cumcount().astype(str)
    repeated = frame.duplicated(["run", "epoch", "class"], keep=False)
    frame["panel"] = frame["class"].map(visible) + (" (" + number + ")").where(repeated, "")
    frame = frame.dropna(subset="accuracy")
    curve = ["panel", "label"]
    grouped = frame.groupby([*curve, "epoch"], sort=False)["accuracy"]
    means = grouped.agg(value="mean", n="count").reset_index()
    means = means[means["n"] == means.groupby(curve)["n"].transform("max")].assign(split="validation")
    names = list(dict.fromkeys(frame["panel"]))  # in the data's order
    ends = means.loc[means.groupby(curve)["epoch"].idxmax()].groupby("panel")["value"].mean()
    worst = set(ends.loc[names].sort_values(kind="stable").index[:PANELS])
    drawn = [name for name in names if name in worst]
    return arrange(means, drawn, list(files.by_setting), may_be_log=()), len(names)


def same_axes(plan: Multiples) -> Multiples:
    """Give all panels the same axis, which shows every last value and 95% of those from epoch 1."""
    frame, values = plan.frame, plan.frame["value"]
    ends = values.loc[frame.groupby(["panel", "label"])["epoch"].idxmax()]
    lowest = min(ends.min(), values[frame["epoch"] > 0].quantile(0.05))  # the first if there is no epoch 1
    bottom = max(0, int(20 * lowest - 0.2)) / 20
    clipped = frame.assign(value=values.clip(lower=bottom))
    return replace(plan, frame=clipped, held=bool((values < bottom).any()), domain=(bottom, 1.0))


@dataclass(frozen=True)
class ConfusionMatrix:
    """`cells`: columns `true predicted count share text dark`, one row for each pair of classes that occurs.

    `share`: per cent of the samples of the true class. `classes`: those drawn, in the data's order.
    `total`: the number of classes in the data. `samples`: the number in all runs together, drawn or not.
    """

    cells: pd.DataFrame
    classes: list[str]
    total: int
    samples: int


def confusion(analysis: Analysis) -> list[Chart]:
    """Draw the confusion matrix of the first setting in the table, summed over its runs."""
    files = read_classifications(analysis, 1)
    if not files.by_setting:
        return []  # `accuracy_by_class` names damaged files
    matrix = count_pairs(files, class_names(analysis, files))
    (label,) = files.by_setting
    runs = write_count(len(files.by_setting[label]), "run")
    setting = f" with {label}" if analysis.design.keys else ""
    sentences = [
        f"{matrix.samples:,} validation samples at the last epoch, from {runs}{setting}",
        "Cells are per cent of the true class; those below 0.5% are blank",
    ]
    if matrix.total > len(matrix.classes):
        drawn = f"{len(matrix.classes)} of {matrix.total} classes"
        sentences.append(f"The {drawn} that are mistaken most often are drawn")
    if files.damaged:
        sentences.append(files.damage)
    caption = ". ".join(sentences) + "."
    return [Chart("confusion", "Confusion matrix", caption, confusion_cells(matrix), wide=True)]


def count_pairs(files: RunFiles[Predictions], names: list[str]) -> ConfusionMatrix:
    """Count the pairs of true and predicted class in all runs; keep the twenty worst classes."""
    count_CC = np.zeros((len(names), len(names)), dtype=np.int64)
    for runs in files.by_setting.values():
        for read in runs.values():
            np.add.at(count_CC, (read.labels, predicted(read)), 1)
    total_C = count_CC.sum(axis=1)
    share_CC = 100 * count_CC / np.maximum(1, total_C)[:, None]
    present = np.flatnonzero(total_C + count_CC.sum(axis=0))
    kept = sorted(sorted(present, key=lambda index: (share_CC[index, index], index))[:MOST_CLASSES])
    rows = [
        (names[true], names[guess], int(count_CC[true, guess]), float(share_CC[true, guess]))
        for true in kept
        for guess in kept
        if count_CC[true, guess]
    ]
    cells = pd.DataFrame(rows, columns=["true", "predicted", "count", "share"])
    cells["text"] = [f"{share:.0f}" if share >= 0.5 else "" for share in cells["share"]]
    cells["dark"] = cells["share"] >= DARK
    return ConfusionMatrix(cells, [names[index] for index in kept], len(present), int(total_C.sum()))


def confusion_cells(matrix: ConfusionMatrix) -> Spec:
    """Shade each cell by its share of the row, on a square-root scale so that a few per cent are visible."""
    rows = row_axis(matrix.classes, 90) | {"title": "true class", "labelPadding": 4}
    columns = {
        "title": "predicted class",
        "domain": False,
        "ticks": False,
        "labelLimit": 90,
        "labelPadding": 4,
    }
    order = {"sort": matrix.classes, "scale": {"domain": matrix.classes, "padding": 0.04}}
    x = nominal("predicted") | order | {"axis": columns | label_angle(matrix.classes, 440)}
    y = nominal("true") | order | {"axis": rows}
    scale = {"type": "sqrt", "domain": [0, 100], "range": [0.04, 1]}
    layers = [
        shaded_cells(matrix.cells, x, y, "share", scale),
        *cell_texts(matrix.cells, x, y, size=11 if len(matrix.classes) <= 12 else 8),
    ]
    return layered("true against predicted classes, in per cent of the true class", 440, 440, layers)
