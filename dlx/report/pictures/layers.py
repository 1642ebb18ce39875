"""What every layer puts out by epoch: mean, mean absolute value and standard deviation."""

from typing import TYPE_CHECKING

from dlx.report.charts import Chart
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.multiples import Multiples, arrange, multiples
from dlx.report.pictures.reading import Found, joined, read_first
from dlx.report.pictures.style import PANELS
from dlx.report.summary import Summary
from dlx.report.text import visible
from dlx.run.probes import LAYERS, read_layers

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = 6
UNCHANGING = ("Flatten", "Identity")  # modules that pass their input on
STATISTICS = {
    "mean": "Mean of each layer's output",
    "abs_mean": "Mean absolute value of each layer's output",
    "std": "Standard deviation of each layer's output",
}
QUANTITIES = {"mean": "mean", "abs_mean": "mean |output|", "std": "standard deviation"}


def layers(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw a figure for each statistic, a panel for each layer."""
    found = read_first(study, layout, summary, LAYERS, read_layers, SETTINGS)
    found = found.keeping(lambda table: len(table) > 0)
    if not found.by_setting:
        return found.instead("layers_mean", STATISTICS["mean"])
    names = telling(found)
    sentences = [found.means("Lines")]
    if len(names) > PANELS:
        sentences.append(f"The first {PANELS - 1} of {len(names)} layers and the last")
    charts = []
    for statistic, title in STATISTICS.items():
        plan = by_layer(found, names, statistic)
        caption = found.caption([*sentences, *plan.caption])
        spec = multiples(plan, QUANTITIES[statistic], f"{title}, by epoch")
        charts.append(Chart(f"layers_{statistic}", title, caption, spec, wide=True))
    return charts


def telling(found: "Found[pd.DataFrame]") -> list[str]:
    """Return the layers in the net's order, without those that change nothing in any run.

    These are flattening and dropout at 0, whose statistics are those of the layer before.
    """
    frame = joined(found.by_setting)
    frame = frame[~frame["module"].isin(UNCHANGING)]
    before = frame.groupby(["run", "epoch", "phase"])[[*STATISTICS]].shift(1)
    same = (before == frame[[*STATISTICS]]).all(axis="columns") & (frame["module"] == "Dropout")
    changing = set(frame.loc[~same, "layer"])
    return [name for name in in_net_order(found, "layer") if name in changing]


def by_layer(found: "Found[pd.DataFrame]", names: list[str], statistic: str) -> Multiples:
    """Average one statistic over each setting's runs, by layer, phase and epoch."""
    frame = joined(found.by_setting)
    frame = frame[~frame["module"].isin(UNCHANGING)]
    means = frame.groupby(["layer", "label", "phase", "epoch"], sort=False)[statistic].mean().reset_index()
    means = means.rename(columns={"layer": "panel", "phase": "split", statistic: "value"})
    means["panel"] = means["panel"].map(visible)
    panels = [visible(name) for name in names]
    if len(panels) > PANELS:
        panels = [*panels[: PANELS - 1], panels[-1]]
    return arrange(means, panels, list(found.by_setting), may_be_log=() if statistic == "mean" else panels)


def in_net_order(found: "Found[pd.DataFrame]", column: str) -> list[str]:
    """Return the names that any run has: each in its place behind the one it follows in its own net."""
    order: list[str] = []
    for runs in found.by_setting.values():
        for table in runs.values():
            place = 0
            for name in table[column].drop_duplicates():
                if name in order:
                    place = order.index(name) + 1
                else:
                    order.insert(place, name)
                    place += 1
    return order
