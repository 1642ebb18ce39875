"""Training against validation at the last epoch: the gap between what is learned and what carries over."""

from typing import TYPE_CHECKING

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.ends import WORDS
from dlx.report.pictures.style import (
    COLOURS,
    GREY,
    OF_PICKED,
    PICKED,
    chart,
    colour,
    layer,
    legend_below,
    nominal,
    quantitative,
    told,
)
from dlx.report.summary import Summary
from dlx.report.text import write_metric

if TYPE_CHECKING:
    import pandas as pd

BARELY = 1e-9  # a gap of nothing still needs an axis


def gap(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw a point for each setting and a dot for each run, beside the line of no gap."""
    split, quantity = summary.metric.split("_")
    points = gaps(study, layout, summary)
    if split != "val" or summary.exact or points["label"].nunique() < 2:
        return []
    below = "below" if summary.higher else "above"
    caption = (
        "Points are means over the completed runs of a setting, dots the runs of those in "
        "colour, all at the last epoch. On "
        f"the dashed line training and validation agree; the further {below} it, the more was learned that "
        f"does not carry over. Training {quantity} is the mean over an epoch's steps, of a net that "
        "still changed."
    )
    title = f"{quantity.title()}: training against validation"
    return [Chart("gap", title, caption, scatter(points, quantity), live=True)]


def gaps(study: StudyData, layout: Design, summary: Summary) -> "pd.DataFrame":
    """Return `label run train val gap told`, a row a completed run that has both, then settings' means.

    A mean's `run` is "". `gap` is training minus validation. In the order of the table.
    """
    import pandas as pd

    _, quantity = summary.metric.split("_")
    runs = study.runs[study.runs["status"] == "completed"]
    frame = pd.DataFrame(
        {
            "rank": runs.index.map(layout.of_run).map(
                {setting: rank for rank, setting in enumerate(summary.table["setting"])}
            ),
            "run": runs.index,
            "train": runs[f"train_{quantity}_last"].astype("float64"),
            "val": runs[f"val_{quantity}_last"].astype("float64"),
        }
    )
    frame = frame[(frame[["train", "val"]].abs() < float("inf")).all(axis="columns")]
    means = frame.groupby("rank", as_index=False)[["train", "val"]].mean().assign(run="")
    both = pd.concat([frame, means]).sort_values("rank", kind="stable")
    both["label"] = both["rank"].map(summary.table["label"])
    both["gap"] = both["train"] - both["val"]
    both["told"] = [
        f"{WORDS['train']} {write_metric(quantity, train)}, {WORDS['val']} {write_metric(quantity, val)}"
        for train, val in zip(both["train"], both["val"], strict=True)
    ]
    return both.drop(columns="rank").reset_index(drop=True)


def scatter(points: "pd.DataFrame", quantity: str) -> Spec:
    """Put training on x and validation on y, at one scale, with the diagonal."""
    import pandas as pd

    low = float(points[["train", "val"]].min().min())
    high = float(points[["train", "val"]].max().max())
    margin = max(0.03 * (high - low), BARELY)
    scale = {"domain": [low - margin, high + margin], "nice": False, "zero": False}
    x = quantitative("train", f"training {quantity}", {"tickCount": 5}, scale)
    y = quantitative("val", f"validation {quantity}", {"tickCount": 5}, scale)
    line = pd.DataFrame({"train": scale["domain"], "val": scale["domain"]})
    labels = list(dict.fromkeys(points["label"]))[: len(COLOURS)]
    legend = legend_below(labels) if len(labels) > 1 else None
    legend = legend and legend | {"symbolType": "circle", "symbolStrokeWidth": 0}
    named = points["label"].isin(labels)
    layers = [layer(line, {"type": "line", "color": GREY, "strokeDash": [4, 3]}, {"x": x, "y": y})]
    of_run, paint = points["run"] != "", colour("label", labels, legend)
    for part, hue, size in (
        (~of_run & ~named, {"value": GREY}, 60),
        (of_run & named, paint, 14),  # 2000 dots would be a cloud, and a megabyte
        (~of_run & named, paint, 90),
    ):
        encoding = {"x": x, "y": y, "color": hue, "opacity": OF_PICKED, "detail": nominal("label")}
        mark = {"type": "point", "filled": True, "size": size}
        layers.append(layer(points[part], mark, encoding | told("label", "told"), also=["told"]))
    return chart(
        f"training against validation {quantity}, a point for each setting",
        {
            "params": [{"name": PICKED, "value": []}],
            "width": 440,
            "height": 300,
            "layer": [each for each in layers if each["data"]["values"]],
        },
    )
