"""Inside the net: statistics of each layer's output, gradients and weights of each parameter, and logits.

Axes: N samples, K outputs.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dlx.metrics.catalogue import sentence_case
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.curves import metric_of, split_of
from dlx.report.load import METRICS, StudyData
from dlx.report.plots.panels import Multiples, arrange, multiples
from dlx.report.plots.run_files import RunFiles, join_tables, read_first, read_tables
from dlx.report.plots.style import COLOURS, INK, PANELS, QUANTITY, chart, colour, layer, quantitative
from dlx.report.text import visible
from dlx.run.probes import (
    GRADIENTS,
    LAYERS,
    LOGITS,
    Logits,
    read_gradients,
    read_layers,
    read_logits,
)

SETTINGS = 6
PASS_THROUGH = ("Flatten", "Identity")  # modules that do not change their input's values
STATISTICS = {
    "mean": ("Mean of each layer's output", "mean"),
    "abs_mean": ("Mean absolute value of each layer's output", "mean |output|"),
    "std": ("Standard deviation of each layer's output", "standard deviation"),
}
MAGNITUDES = {
    "abs_gradient": ("Mean absolute gradient of each parameter", "mean |gradient|"),
    "abs_weight": ("Mean absolute value of each parameter", "mean |weight|"),
}

HISTOGRAM_SETTINGS = 3
EPOCHS = 6
BINS = 60
TAILS = 0.001  # share of the logits beyond the ends of the axis, half of it on each side
MEAN_LOGIT = "mean |logit|"
HISTOGRAMS_TITLE = "Training logits by epoch"

# By epoch, then by group: the finite logits of all runs together.
Groups = dict[int, dict[str, NDArray[np.float64]]]


def layer_outputs(analysis: Analysis) -> list[Chart]:
    """Draw a chart for each statistic of the layers' outputs, with a panel for each layer."""
    files = read_tables(analysis, LAYERS, read_layers, SETTINGS)
    if not files.by_setting:
        return files.nothing_drawn("layers_mean", STATISTICS["mean"][0])
    names = changing_layers(files)
    sentences = []
    if len(names) > PANELS:
        sentences = [f"The first {PANELS - 1} of {len(names)} layers and the last are drawn"]
        names = [*names[: PANELS - 1], names[-1]]
    plans = {statistic: by_name(files, "layer", names, statistic) for statistic in STATISTICS}
    return [
        _chart(files, plan, f"layers_{statistic}", STATISTICS[statistic], sentences)
        for statistic, plan in plans.items()
    ]


def gradients_and_weights(analysis: Analysis) -> list[Chart]:
    """Draw a chart of gradients and one of weights: a panel for each parameter, weights before biases."""
    files = read_tables(analysis, GRADIENTS, read_gradients, SETTINGS)
    if not files.by_setting:
        return files.nothing_drawn("abs_gradient", MAGNITUDES["abs_gradient"][0])
    names = weights_first(in_net_order(files, "parameter"))
    sentences = ["Gradients are averaged over an epoch's steps"]
    if len(names) > PANELS:
        sentences.append(f"The first {PANELS} of {len(names)} parameters are drawn, weights before biases")
    plans = {column: by_name(files, "parameter", names, column) for column in MAGNITUDES}
    return [
        _chart(files, plan, column, MAGNITUDES[column], sentences)
        for column, plan in plans.items()
        if not plan.frame.empty
    ]


def _chart(
    files: RunFiles[pd.DataFrame], plan: Multiples, name: str, titles: tuple[str, str], sentences: list[str]
) -> Chart:
    title, quantity = titles
    caption = files.caption([files.means("Lines"), *sentences, *plan.caption])
    return Chart(name, title, caption, multiples(plan, quantity, f"{title}, by epoch"), wide=True)


def by_name(files: RunFiles[pd.DataFrame], kind: str, names: list[str], statistic: str) -> Multiples:
    """Average a statistic over each setting's runs, by split, epoch and name of the layer or parameter."""
    frame = join_tables(files).rename(columns={kind: "panel", "phase": "split", statistic: "value"})
    if "split" not in frame:
        frame["split"] = "training"
    means = frame.groupby(["panel", "label", "split", "epoch"], sort=False)["value"].mean().reset_index()
    means["panel"] = means["panel"].map(visible)
    panels = [visible(name) for name in names]
    return arrange(means, panels, list(files.by_setting), may_be_log=() if statistic == "mean" else panels)


def changing_layers(files: RunFiles[pd.DataFrame]) -> list[str]:
    """Return the layers in the net's order, without those that pass on their input unchanged in every run.

    These are flattening and dropout at 0; their statistics repeat those of the layer before.
    """
    frame = join_tables(files)
    frame = frame[~frame["module"].isin(PASS_THROUGH)]
    before = frame.groupby(["run", "epoch", "phase"])[[*STATISTICS]].shift(1)
    same = (before == frame[[*STATISTICS]]).all(axis="columns") & (frame["module"] == "Dropout")
    changing = set(frame.loc[~same, "layer"])
    return [name for name in in_net_order(files, "layer") if name in changing]


def in_net_order(files: RunFiles[pd.DataFrame], column: str) -> list[str]:
    """Return the names of all runs, each inserted after the one it follows in its own net."""
    order: list[str] = []
    for runs in files.by_setting.values():
        for table in runs.values():
            position = 0
            for name in table[column].drop_duplicates():
                if name in order:
                    position = order.index(name) + 1
                else:
                    order.insert(position, name)
                    position += 1
    return order


def weights_first(names: list[str]) -> list[str]:
    """Move weights before all others (biases, scales), both in the net's order."""
    return sorted(names, key=lambda name: not name.endswith("weight"))


def logit_curves(analysis: Analysis) -> list[Chart]:
    """Draw accuracy, loss and mean absolute logit by epoch: growing logits can raise only the loss."""
    files = read_tables(analysis, LAYERS, read_layers, SETTINGS)
    if not files.by_setting:
        return []  # `layer_outputs` names damaged files
    plan = metrics_and_logit(analysis.data, files)
    sentences = [files.means("Lines"), "Logits are the outputs of the last layer", *plan.caption]
    what = "accuracy, loss" if QUANTITY["accuracy"] in plan.panels else "loss"
    spec = multiples(plan, None, f"{what} and mean absolute logit by epoch")
    title = f"{sentence_case(what)} and mean absolute logit by epoch"
    return [Chart("confidence", title, files.caption(sentences), spec, wide=True)]


def metrics_and_logit(data: StudyData, files: RunFiles[pd.DataFrame]) -> Multiples:
    """Average accuracy, loss and the last layer's mean absolute output over each setting's runs."""
    labels = {run: label for label, runs in files.by_setting.items() for run in runs}
    tall = data.histories.melt(id_vars=["run", "epoch"], value_vars=list(METRICS), var_name="column")
    tall = tall[tall["run"].isin(labels)].assign(
        label=lambda rows: rows["run"].map(labels),
        panel=lambda rows: rows["column"].map(metric_of).map(QUANTITY),
        split=lambda rows: rows["column"].map(split_of),
    )
    layers = join_tables(files)
    last = layers["layer"] == layers.groupby("run")["layer"].transform("last")
    logits = layers[last].rename(columns={"phase": "split", "abs_mean": "value"}).assign(panel=MEAN_LOGIT)
    both = pd.concat([tall, logits]).astype({"value": "float64"}).dropna(subset="value")
    means = both.groupby(["panel", "label", "split", "epoch"], sort=False)["value"].mean().reset_index()
    panels = [panel for panel in (*QUANTITY.values(), MEAN_LOGIT) if (means["panel"] == panel).any()]
    return arrange(means, panels, list(files.by_setting), may_be_log={QUANTITY["loss"], MEAN_LOGIT})


@dataclass(frozen=True)
class Histograms:
    """`frame`: columns `label epoch group left right share`, one row for each bin that is not empty.

    `share`: of the logits of one label, epoch and group. `groups`: the logits of the true class and of the
    others or, for a single output, those of samples of class 1 and of class 0. `mean_abs`: by label and
    epoch. `rows`: labels. `epochs`: those drawn. `reach`: the ends of the axis; logits beyond them are
    counted in the outermost bins. `tallest`: the largest share.
    """

    frame: pd.DataFrame
    mean_abs: dict[tuple[str, int], float]
    rows: list[str]
    epochs: list[int]
    groups: list[str]
    reach: tuple[float, float]
    tallest: float


def logit_histograms(analysis: Analysis) -> list[Chart]:
    """Draw a row of histograms for each of the first settings, a panel for each epoch, with equal axes."""
    files = read_first(analysis, LOGITS, read_logits, HISTOGRAM_SETTINGS)
    groups = {label: by_group(list(runs.values())) for label, runs in files.by_setting.items()}
    if not any(groups.values()):
        return files.nothing_drawn("logits", HISTOGRAMS_TITLE)
    counted = count_logits(groups)
    sentences = ["The bars of each colour add up to 100%", "All panels have the same axes"]
    if files.several:
        sentences.append("The runs of a setting are pooled")
    sentences.append("The number in a panel is the mean absolute logit")
    stored = len({epoch for by_epoch in groups.values() for epoch in by_epoch})
    if stored > len(counted.epochs):
        sentences.append(
            f"{len(counted.epochs)} of {stored} stored epochs are drawn, the first and the last among them"
        )
    return [Chart("logits", HISTOGRAMS_TITLE, files.caption(sentences), histograms(counted), wide=True)]


def by_group(runs: list[Logits]) -> Groups:
    """Pool the finite logits of all runs, by epoch and group."""
    parts: dict[int, dict[str, list[NDArray[np.float64]]]] = {}
    for run in runs:
        for epoch, outputs_NK in zip(run.epochs.tolist(), run.outputs.astype(np.float64), strict=True):
            single = outputs_NK.shape[1] == 1
            of_label_NK = run.labels[:, None] == (1 if single else np.arange(outputs_NK.shape[1]))
            names = ("class 1", "class 0") if single else ("true class", "other classes")
            for name, chosen_NK in zip(names, (of_label_NK, ~of_label_NK), strict=True):
                values = outputs_NK[chosen_NK]
                parts.setdefault(epoch, {}).setdefault(name, []).append(values[np.isfinite(values)])
    return {
        epoch: {name: np.concatenate(values) for name, values in groups.items()}
        for epoch, groups in sorted(parts.items())
    }


def count_logits(groups: dict[str, Groups]) -> Histograms:
    """Count the logits of every label, epoch and group in sixty equal bins."""
    stored = sorted({epoch for by_epoch in groups.values() for epoch in by_epoch})
    picked = np.linspace(0, len(stored) - 1, min(EPOCHS, len(stored))).round().astype(int)
    epochs = [stored[index] for index in picked]
    reach = _reach(groups)
    edges = np.linspace(*reach, BINS + 1)
    rows, mean_abs = [], {}
    for label, by_epoch in groups.items():
        for epoch in (each for each in epochs if each in by_epoch):
            both = np.concatenate(list(by_epoch[epoch].values()))
            mean_abs[label, epoch] = float(np.abs(both).mean()) if both.size else float("nan")
            for group, values in by_epoch[epoch].items():
                counts = np.histogram(values.clip(*reach), edges)[0]
                shares = counts / max(1, values.size)
                rows += [
                    (label, epoch, group, edges[bin_], edges[bin_ + 1], shares[bin_])
                    for bin_ in np.flatnonzero(counts)
                ]
    frame = pd.DataFrame(rows, columns=["label", "epoch", "group", "left", "right", "share"])
    names = ("true class", "other classes", "class 1", "class 0")
    present = [name for name in names if (frame["group"] == name).any()]
    return Histograms(frame, mean_abs, list(groups), epochs, present, reach, float(frame["share"].max()))


def _reach(groups: dict[str, Groups]) -> tuple[float, float]:
    """Return the ends of the axis: quantiles of all logits, moved apart by one unit each if equal."""
    everything = np.concatenate(
        [values for by_epoch in groups.values() for each in by_epoch.values() for values in each.values()]
    )
    ends = np.quantile(everything, (TAILS / 2, 1 - TAILS / 2)) if everything.size else (0.0, 0.0)
    low, high = (float(end) for end in ends)
    return (low, high) if low < high else (low - 1, high + 1)


def histograms(counted: Histograms) -> Spec:
    """Put a row of panels for each label, a column for each epoch."""
    legend = {"orient": "bottom", "title": None, "symbolType": "square", "symbolStrokeWidth": 0}
    hue = colour("group", counted.groups, legend | {"symbolSize": 120})
    hue["scale"]["range"] = [COLOURS[1], COLOURS[0]][: len(counted.groups)]
    panels = [_panel(counted, label, epoch, hue) for label in counted.rows for epoch in counted.epochs]
    spacing = {"row": 100 if len(counted.rows) > 1 else 60, "column": 24}
    body = {"concat": panels, "columns": len(counted.epochs), "spacing": spacing}
    return chart("histograms of training logits by epoch", body)


def _panel(counted: Histograms, label: str, epoch: int, hue: Spec) -> Spec:
    part = counted.frame[(counted.frame["label"] == label) & (counted.frame["epoch"] == epoch)]
    first, last = epoch == counted.epochs[0], label == counted.rows[-1]
    x_scale = {"domain": list(counted.reach), "nice": False}
    x = quantitative("left", "logit" if last else None, {"grid": False, "tickCount": 4}, x_scale)
    y_axis = {"tickCount": 4, "format": "%", "labels": first}
    y_scale = {"domain": [0, counted.tallest], "nice": True}
    y = quantitative("share", "share of logits" if first else None, y_axis, y_scale) | {"stack": None}
    encoding = {"x": x, "x2": {"field": "right"}, "y": y, "y2": {"datum": 0}, "color": hue}
    mean = counted.mean_abs.get((label, epoch))
    above = [] if len(counted.rows) == 1 else [label if first else "\N{NO-BREAK SPACE}"]
    subtitle = "not stored" if mean is None else f"mean |logit| {mean:.3g}"
    title = {"text": [*above, f"epoch {epoch}"], "subtitle": subtitle, "subtitleColor": INK, "limit": 860}
    bars = layer(part, {"type": "rect", "fillOpacity": 0.55}, encoding)
    width = 1000 // len(counted.epochs) - 24
    return {"width": min(width, 420), "height": 130, "title": title, "layer": [bars]}
