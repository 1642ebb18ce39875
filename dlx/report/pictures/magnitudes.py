"""Mean absolute gradient and weight of each parameter by epoch."""

from typing import TYPE_CHECKING

from dlx.report.charts import Chart
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.layers import SETTINGS, in_net_order
from dlx.report.pictures.multiples import Multiples, arrange, multiples
from dlx.report.pictures.reading import Found, joined, read_first
from dlx.report.pictures.style import PANELS
from dlx.report.summary import Summary
from dlx.report.text import visible
from dlx.run.probes import GRADIENTS, read_gradients

if TYPE_CHECKING:
    import pandas as pd

TITLES = {
    "abs_gradient": "Mean absolute gradient of each parameter",
    "abs_weight": "Mean absolute value of each parameter",
}
QUANTITIES = {"abs_gradient": "mean |gradient|", "abs_weight": "mean |weight|"}


def magnitudes(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw a figure for gradients and one for weights, a panel for each parameter, weights before biases."""
    found = read_first(study, layout, summary, GRADIENTS, read_gradients, SETTINGS)
    found = found.keeping(lambda table: len(table) > 0)
    if not found.by_setting:
        return found.instead("abs_gradient", TITLES["abs_gradient"])
    names = weights_first(in_net_order(found, "parameter"))
    sentences = [found.means("Lines"), "Gradients are averaged over an epoch's steps"]
    if len(names) > PANELS:
        sentences.append(f"The first {PANELS} of {len(names)} parameters, weights before biases")
    charts = []
    for column, title in TITLES.items():
        plan = by_parameter(found, names, column)
        if plan.frame.empty:
            continue
        caption = found.caption([*sentences, *plan.caption])
        spec = multiples(plan, QUANTITIES[column], f"{title}, by epoch")
        charts.append(Chart(column, title, caption, spec, wide=True))
    return charts


def by_parameter(found: "Found[pd.DataFrame]", names: list[str], column: str) -> Multiples:
    """Average one magnitude over each setting's runs, by parameter and epoch."""
    frame = joined(found.by_setting)
    means = frame.groupby(["parameter", "label", "epoch"], sort=False)[column].mean().reset_index()
    means = means.rename(columns={"parameter": "panel", column: "value"}).assign(split="training")
    means["panel"] = means["panel"].map(visible)
    panels = [visible(name) for name in names]
    return arrange(means, panels, list(found.by_setting), may_be_log=panels)


def weights_first(names: list[str]) -> list[str]:
    """Keep the net's order within weights and within all others (biases, scales)."""
    return sorted(names, key=lambda name: not name.endswith("weight"))
