"""Inside the net by epoch: statistics of each layer's output, gradients and weights of each parameter."""

import pandas as pd

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart
from dlx.report.plots.panels import Multiples, arrange, multiples
from dlx.report.plots.run_files import RunFiles, join_tables, read_tables
from dlx.report.plots.style import PANELS
from dlx.report.text import visible
from dlx.run.probes import GRADIENTS, LAYERS, read_gradients, read_layers

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


def layer_outputs(analysis: Analysis) -> list[Chart]:
    """Draw a chart for each statistic of the layers' outputs, with a panel for each layer."""
    files = read_tables(analysis, LAYERS, read_layers, SETTINGS)
    if not files.by_setting:
        return files.nothing_drawn("layers_mean", STATISTICS["mean"][0])
    names = changing_layers(files)
    sentences = [files.means("Lines")]
    if len(names) > PANELS:
        sentences.append(f"The first {PANELS - 1} of {len(names)} layers and the last")
    charts = []
    for statistic, (title, quantity) in STATISTICS.items():
        plan = by_layer(files, names, statistic)
        caption = files.caption([*sentences, *plan.caption])
        spec = multiples(plan, quantity, f"{title}, by epoch")
        charts.append(Chart(f"layers_{statistic}", title, caption, spec, wide=True))
    return charts


def changing_layers(files: RunFiles[pd.DataFrame]) -> list[str]:
    """Return the layers in the net's order, without those that change nothing in any run.

    These are flattening and dropout at 0, whose statistics are those of the layer before.
    """
    frame = join_tables(files.by_setting)
    frame = frame[~frame["module"].isin(PASS_THROUGH)]
    before = frame.groupby(["run", "epoch", "phase"])[[*STATISTICS]].shift(1)
    same = (before == frame[[*STATISTICS]]).all(axis="columns") & (frame["module"] == "Dropout")
    changing = set(frame.loc[~same, "layer"])
    return [name for name in in_net_order(files, "layer") if name in changing]


def by_layer(files: RunFiles[pd.DataFrame], names: list[str], statistic: str) -> Multiples:
    """Average one statistic over each setting's runs, by layer, phase and epoch."""
    frame = join_tables(files.by_setting)
    frame = frame[~frame["module"].isin(PASS_THROUGH)]
    means = frame.groupby(["layer", "label", "phase", "epoch"], sort=False)[statistic].mean().reset_index()
    means = means.rename(columns={"layer": "panel", "phase": "split", statistic: "value"})
    means["panel"] = means["panel"].map(visible)
    panels = [visible(name) for name in names]
    if len(panels) > PANELS:
        panels = [*panels[: PANELS - 1], panels[-1]]
    return arrange(means, panels, list(files.by_setting), may_be_log=() if statistic == "mean" else panels)


def in_net_order(files: RunFiles[pd.DataFrame], column: str) -> list[str]:
    """Return the names that any run has, each inserted after the one it follows in its own net."""
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


def gradients_and_weights(analysis: Analysis) -> list[Chart]:
    """Draw a chart of gradients and one of weights: a panel for each parameter, weights before biases."""
    files = read_tables(analysis, GRADIENTS, read_gradients, SETTINGS)
    if not files.by_setting:
        return files.nothing_drawn("abs_gradient", MAGNITUDES["abs_gradient"][0])
    names = weights_first(in_net_order(files, "parameter"))
    sentences = [files.means("Lines"), "Gradients are averaged over an epoch's steps"]
    if len(names) > PANELS:
        sentences.append(f"The first {PANELS} of {len(names)} parameters, weights before biases")
    charts = []
    for column, (title, quantity) in MAGNITUDES.items():
        plan = by_parameter(files, names, column)
        if plan.frame.empty:
            continue
        caption = files.caption([*sentences, *plan.caption])
        spec = multiples(plan, quantity, f"{title}, by epoch")
        charts.append(Chart(column, title, caption, spec, wide=True))
    return charts


def by_parameter(files: RunFiles[pd.DataFrame], names: list[str], column: str) -> Multiples:
    """Average one magnitude over each setting's runs, by parameter and epoch."""
    frame = join_tables(files.by_setting)
    means = frame.groupby(["parameter", "label", "epoch"], sort=False)[column].mean().reset_index()
    means = means.rename(columns={"parameter": "panel", column: "value"}).assign(split="training")
    means["panel"] = means["panel"].map(visible)
    panels = [visible(name) for name in names]
    return arrange(means, panels, list(files.by_setting), may_be_log=panels)


def weights_first(names: list[str]) -> list[str]:
    """Move weights before all others (biases, scales), both in the net's order."""
    return sorted(names, key=lambda name: not name.endswith("weight"))
