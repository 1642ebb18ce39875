"""Accuracy, loss and the mean absolute logit by epoch: why a loss can rise while the accuracy stays."""

from typing import TYPE_CHECKING

from dlx.report.charts import Chart
from dlx.report.curves import METRIC_OF, SPLIT_OF
from dlx.report.design import Design
from dlx.report.load import METRICS, StudyData
from dlx.report.pictures.multiples import Multiples, arrange, multiples
from dlx.report.pictures.reading import Found, joined, read_first
from dlx.report.pictures.style import QUANTITY
from dlx.report.summary import Summary
from dlx.run.probes import LAYERS, read_layers

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = 6
TITLE = "Accuracy, loss and confidence by epoch"
LOGIT = "mean |logit|"


def confidence(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw the three panels for the first settings whose layers were recorded."""
    found = read_first(study, layout, summary, LAYERS, read_layers, SETTINGS)
    found = found.keeping(lambda table: len(table) > 0)
    if not found.by_setting:
        return []  # the picture of the layers names what is damaged
    plan = beside(study, found)
    sentences = [found.means("Lines"), "A logit is what the last layer puts out", *plan.caption]
    spec = multiples(plan, None, "accuracy, loss and mean absolute logit by epoch")
    return [Chart("confidence", TITLE, found.caption(sentences), spec, wide=True)]


def beside(study: StudyData, found: "Found[pd.DataFrame]") -> Multiples:
    """Average accuracy, loss and the last layer's mean absolute output over each setting's runs."""
    import pandas as pd

    labels = {run: label for label, runs in found.by_setting.items() for run in runs}
    tall = study.histories.melt(id_vars=["run", "epoch"], value_vars=list(METRICS), var_name="column")
    tall = tall[tall["run"].isin(labels)].assign(
        label=lambda rows: rows["run"].map(labels),
        panel=lambda rows: rows["column"].map(METRIC_OF).map(QUANTITY),
        split=lambda rows: rows["column"].map(SPLIT_OF),
    )
    layers = joined(found.by_setting)
    last = layers["layer"] == layers.groupby("run")["layer"].transform("last")
    logits = layers[last].rename(columns={"phase": "split", "abs_mean": "value"}).assign(panel=LOGIT)
    both = pd.concat([tall, logits]).astype({"value": "float64"}).dropna(subset="value")
    means = both.groupby(["panel", "label", "split", "epoch"], sort=False)["value"].mean().reset_index()
    panels = [panel for panel in (*QUANTITY.values(), LOGIT) if (means["panel"] == panel).any()]
    return arrange(means, panels, list(found.by_setting), may_be_log={QUANTITY["loss"], LOGIT})
