"""Histograms of the training logits at chosen epochs: how sure the net became, and of what.

Axes: E epochs, N samples, K outputs.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.reading import read_first
from dlx.report.pictures.style import COLOURS, INK, chart, colour, layer, quantitative
from dlx.report.summary import Summary
from dlx.run.probes import LOGITS, Logits, read_logits

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = 3
EPOCHS = 6
BINS = 60
TITLE = "Training logits by epoch"


@dataclass(frozen=True)
class Histograms:
    """`frame`: columns `label epoch group left right share`, one row a bin that is not empty.

    `share` is of the logits of one label, epoch and group; `groups` are the two kinds of logits: the true
    class's and the others', or of a single output the samples of class 1 and those of class 0.
    `mean_abs`: by label and epoch. `rows`: labels; `epochs`: those drawn. `reach`: the axis' two ends,
    between which all but a thousandth of the logits lie; the others are counted in the outermost bins.
    `tallest`: the largest share.
    """

    frame: "pd.DataFrame"
    mean_abs: dict[tuple[str, int], float]
    rows: list[str]
    epochs: list[int]
    groups: list[str]
    reach: tuple[float, float]
    tallest: float


def logits(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw a row of histograms for each of the first settings, a panel an epoch, on equal axes."""
    found = read_first(study, layout, summary, LOGITS, read_logits, SETTINGS)
    parts = {label: split(list(runs.values())) for label, runs in found.by_setting.items()}
    if not any(parts.values()):
        return found.instead("logits", TITLE)
    counted = count(parts)
    sentences = ["Shares are of the true class's logits and of the others' by themselves; all axes are equal"]
    if len(counted.groups) == 2 and counted.groups[0] == "class 1":
        sentences = ["Shares are of the samples of each class by themselves; all axes are equal"]
    if found.several:
        sentences.append("The runs of a setting are taken together")
    sentences.append("The number in a panel is the mean absolute logit")
    stored = len({epoch for part in parts.values() for epoch in part})
    if stored > len(counted.epochs):
        sentences.append(
            f"{len(counted.epochs)} of {stored} stored epochs, the first and the last among them"
        )
    return [Chart("logits", TITLE, found.caption(sentences), histograms(counted), wide=True)]


def split(runs: list[Logits]) -> dict[int, dict[str, NDArray[np.float64]]]:
    """Return by epoch the finite logits of both groups, those of all runs together."""
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


def count(parts: dict[str, dict[int, dict[str, NDArray[np.float64]]]]) -> Histograms:
    """Count the logits of every label, epoch and group in sixty equal bins."""
    import pandas as pd

    stored = sorted({epoch for part in parts.values() for epoch in part})
    picked = np.linspace(0, len(stored) - 1, min(EPOCHS, len(stored))).round().astype(int)
    epochs = [stored[place] for place in picked]
    everything = np.concatenate(
        [values for part in parts.values() for groups in part.values() for values in groups.values()]
    )
    low, high = (
        (float(end) for end in np.quantile(everything, (0.0005, 0.9995))) if everything.size else (0.0, 0.0)
    )
    low, high = (low, high) if low < high else (low - 1, high + 1)
    edges = np.linspace(low, high, BINS + 1)
    rows, mean_abs = [], {}
    for label, part in parts.items():
        for epoch in (each for each in epochs if each in part):
            both = np.concatenate(list(part[epoch].values()))
            mean_abs[label, epoch] = float(np.abs(both).mean()) if both.size else float("nan")
            for group, values in part[epoch].items():
                counts = np.histogram(values.clip(low, high), edges)[0]
                shares = counts / max(1, values.size)
                rows += [
                    (label, epoch, group, edges[place], edges[place + 1], shares[place])
                    for place in np.flatnonzero(counts)
                ]
    frame = pd.DataFrame(rows, columns=["label", "epoch", "group", "left", "right", "share"])
    names = ("true class", "other classes", "class 1", "class 0")
    groups = [name for name in names if (frame["group"] == name).any()]
    return Histograms(frame, mean_abs, list(parts), epochs, groups, (low, high), float(frame["share"].max()))


def histograms(counted: Histograms) -> Spec:
    """Put a row of panels for each label, a column for each epoch."""
    legend = {"orient": "bottom", "title": None, "symbolType": "square", "symbolStrokeWidth": 0}
    colours = colour("group", counted.groups, legend | {"symbolSize": 120})
    colours["scale"]["range"] = [COLOURS[1], COLOURS[0]][: len(counted.groups)]
    panels = [_panel(counted, label, epoch, colours) for label in counted.rows for epoch in counted.epochs]
    spacing = {"row": 100 if len(counted.rows) > 1 else 60, "column": 24}
    body = {"concat": panels, "columns": len(counted.epochs), "spacing": spacing}
    return chart("histograms of training logits by epoch", body)


def _panel(counted: Histograms, label: str, epoch: int, colours: Spec) -> Spec:
    part = counted.frame[(counted.frame["label"] == label) & (counted.frame["epoch"] == epoch)]
    first, last = epoch == counted.epochs[0], label == counted.rows[-1]
    axis = {"grid": False, "tickCount": 4}
    encoding = {
        "x": quantitative(
            "left", "logit" if last else None, axis, {"domain": list(counted.reach), "nice": False}
        ),
        "x2": {"field": "right"},
        "y": quantitative(
            "share",
            "share of logits" if first else None,
            {"tickCount": 4, "format": "%", "labels": first},
            {"domain": [0, counted.tallest], "nice": True},
        )
        | {"stack": None},
        "y2": {"datum": 0},
        "color": colours,
    }
    mean = counted.mean_abs.get((label, epoch))
    above = [] if len(counted.rows) == 1 else [label if first else "\N{NO-BREAK SPACE}"]
    subtitle = "not stored" if mean is None else f"mean |logit| {mean:.3g}"
    title = {"text": [*above, f"epoch {epoch}"], "subtitle": subtitle, "subtitleColor": INK, "limit": 860}
    bars = layer(part, {"type": "rect", "fillOpacity": 0.55}, encoding)
    width = 1000 // len(counted.epochs) - 24
    return {"width": min(width, 420), "height": 130, "title": title, "layer": [bars]}
