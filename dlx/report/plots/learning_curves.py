"""Learning curves: accuracy and loss by epoch, loss by step, and training against validation at the end."""

from dataclasses import dataclass

import pandas as pd

from dlx.metrics.catalogue import label_of, sentence_case
from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.curves import Curves, metric_of, split_of, trace
from dlx.report.plots.panels import curves_caption, curves_panel, grey_caption, metric_axis
from dlx.report.plots.run_files import RunFiles, read_tables
from dlx.report.plots.style import (
    COLOURS,
    GREY,
    GREYS,
    OF_PICKED,
    PANELS,
    PICKED,
    SHOWN,
    SPLITS,
    chart,
    colour,
    epoch_axis,
    layer,
    layered,
    legend_below,
    log_ticks,
    metric_title,
    nominal,
    quantitative,
    tooltip,
)
from dlx.report.text import visible, write_count, write_metric, write_value
from dlx.run.probes import STEPS, read_steps

WINDOW = 25  # steps in a moving average, as in the source experiment
POINTS = 400  # of a curve by step
STEPS_TITLE = "Training loss by update step"
SMALLEST_MARGIN = 1e-9  # so that equal points have an axis


def curves_by_epoch(analysis: Analysis) -> list[Chart]:
    """Draw every metric by epoch: all settings together, and each setting in a panel of its own."""
    exact = analysis.summary.exact
    curves = trace(analysis)
    together, one_by_one = [], []
    many = len(curves.labels) > 1
    by_split = trace(analysis, apart=True) if many else curves
    for metric in curves.axes:
        part = by_split.of(metric=metric)
        if many:
            caption = curves_caption(part, len(COLOURS), grey_caption(len(curves.labels)))
            spec = all_settings(part, metric, exact=exact)
            together.append(
                Chart(metric, f"{sentence_case(label_of(metric))} by epoch", caption, spec, live=True)
            )
        part = curves.of(metric=metric)
        name, title = (
            (f"{metric}_by_setting", "by epoch, setting by setting") if many else (metric, "by epoch")
        )
        caption = curves_caption(part, PANELS, "have a panel; the others are not drawn")
        spec = setting_by_setting(part, metric, exact=exact)
        one_by_one.append(Chart(name, f"{sentence_case(label_of(metric))} {title}", caption, spec, wide=many))
    return together + one_by_one


def all_settings(curves: Curves, metric: str, *, exact: bool = False) -> Spec:
    """Draw all settings in one panel for validation and one for training, the first eight in colour.

    `curves`: with an axis for each split.
    """
    splits = [split for split in SPLITS if f"{metric} {split}" in curves.axes]
    labels = curves.labels[: len(COLOURS)]
    drawn = curves.first(len(COLOURS) + GREYS)
    panels = [
        {"width": 440, "height": 190}
        | curves_panel(
            drawn.of(split=split),
            colour("label", labels, legend_below(labels)),
            x=epoch_axis("epoch" if split == splits[-1] else None, curves.epochs),
            y=metric_axis(curves.axes[f"{metric} {split}"], metric_title(metric, split, exact=exact)),
            name=f"{metric} {split}",
        )
        for split in splits
    ]
    return chart(
        f"{metric} by epoch, {write_count(len(curves.labels), 'setting')}",
        {"params": [{"name": SHOWN, "value": labels}], "vconcat": panels, "spacing": 40},
    )


def setting_by_setting(curves: Curves, metric: str, *, exact: bool = False) -> Spec:
    """Draw a panel for each of the first twelve settings: validation solid, training dashed, equal axes."""
    labels = curves.labels[:PANELS]
    across = min(len(labels), 4)
    size = {"width": 440, "height": 260} if len(labels) == 1 else {"width": 216, "height": 130}
    splits = [split for split in SPLITS if split in {*curves.estimates["split"], *curves.diverged["split"]}]
    legend = {"orient": "top", "title": None}
    panels = [
        size
        | ({"title": label} if len(labels) > 1 else {})
        | curves_panel(
            curves.of(label=label),
            colour("split", splits, legend),
            x=epoch_axis("epoch" if index + across >= len(labels) else None, curves.epochs),
            y=metric_axis(
                curves.axes[metric], metric_title(metric, exact=exact) if index % across == 0 else None
            ),
        )
        for index, label in enumerate(labels)
    ]
    return chart(f"{metric} by epoch, setting by setting", {"concat": panels, "columns": across})


@dataclass(frozen=True)
class StepLosses:
    """`frame`: columns `line step loss`, a row for each point: the mean of the `window` steps up to it.

    A line of fewer steps has no points. `every`: the number of steps from one point to the next.
    """

    frame: pd.DataFrame
    window: int
    every: int


def loss_by_step(analysis: Analysis) -> list[Chart]:
    """Draw the loss of every update step: a line for each setting, or for each run of a single setting."""
    files = read_tables(analysis, STEPS, read_steps, len(COLOURS))
    lines = _lines(analysis, files)
    if not lines:
        return files.nothing_drawn("steps", STEPS_TITLE)
    losses = average_steps(lines)
    sentences = [files.means("Lines") if len(files.by_setting) > 1 else "Each line is a single run"]
    if losses.window > 1:
        sentences.append(f"Each point is the mean loss of the last {losses.window} steps")
    else:
        sentences.append(f"Not smoothed: there are fewer than {2 * WINDOW} steps")
    if (drawn := losses.frame["line"].nunique()) < len(lines):
        sentences.append(f"{len(lines) - drawn} of {len(lines)} have fewer steps and are not drawn")
    if losses.every > 1:
        sentences.append(f"One step in {losses.every} is drawn")
    if len(lines) > len(COLOURS):
        sentences.append(
            f"The first {len(COLOURS)} of {len(lines)} runs are in colour, the others thin and grey"
        )
    return [Chart("steps", STEPS_TITLE, files.caption(sentences), step_lines(losses), wide=True)]


def _lines(analysis: Analysis, files: RunFiles[pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Return the tables to average for each line: a setting's or, if there is only one setting, a run's."""
    if len(files.by_setting) != 1:
        return {label: list(runs.values()) for label, runs in files.by_setting.items()}
    (runs,) = files.by_setting.values()
    keys, settings = analysis.design.seeds, analysis.data.settings
    seeds = {run: [write_value(settings[run].get(key)) for key in keys] for run in runs}
    words = {run: ", ".join(map(" ".join, zip(keys, seeds[run], strict=True))) for run in runs}
    distinct = bool(keys) and len(set(words.values())) == len(runs)
    ordered = sorted(runs, key=lambda run: [(len(seed), seed) for seed in seeds[run]])
    return {visible(words[run] if distinct else run): [runs[run]] for run in ordered}


def average_steps(lines: dict[str, list[pd.DataFrame]]) -> StepLosses:
    """Average the runs of each line over the steps that all of them have, then over a moving window."""
    means = {}
    for line, tables in lines.items():
        losses = pd.concat([table.set_index("step")["loss"] for table in tables], axis="columns")
        means[line] = losses.where(losses.abs() < float("inf")).dropna().mean(axis="columns")
    longest = max(len(mean) for mean in means.values())
    window = WINDOW if longest >= 2 * WINDOW else 1
    every = longest // POINTS + 1
    parts = []
    for line, mean in means.items():
        points = mean.rolling(window).mean().dropna()
        points = points[::-1][::every][::-1]  # keeps the last one
        parts.append(pd.DataFrame({"line": line, "step": points.index, "loss": points.to_numpy()}))
    return StepLosses(pd.concat(parts, ignore_index=True), window, every)


def step_lines(losses: StepLosses) -> Spec:
    """Draw the lines in one panel; the loss axis is logarithmic if the values span more than two decades."""
    low, high = losses.frame["loss"].min(), losses.frame["loss"].max()
    log = 0 < low < high / 100
    y_scale: Spec = {"type": "log", "nice": False} if log else {"zero": False}
    y_axis = {"values": log_ticks(low, high), "format": "~g"} if log else {"tickCount": 6}
    x_axis = {"grid": False, "tickMinStep": 1, "tickCount": 8}
    named = list(dict.fromkeys(losses.frame["line"]))[: len(COLOURS)]
    along = {
        "x": quantitative("step", "update steps", x_axis, {"nice": False}),
        "y": quantitative("loss", "training loss (mean per sample)", y_axis, y_scale),
    }
    hue = colour("line", named, legend_below(named, wide=True) if len(named) > 1 else None)
    mark = {"type": "line", "strokeJoin": "round"}
    others = {"detail": nominal("line"), "color": {"value": GREY}}
    in_colour = losses.frame["line"].isin(named)
    layers = [
        layer(losses.frame[~in_colour], mark | {"strokeWidth": 0.8}, along | others),
        layer(losses.frame[in_colour], mark | {"strokeWidth": 1.4}, along | {"color": hue}),
    ]
    return layered("training loss by update step", 900, 280, layers)


def generalisation_gap(analysis: Analysis) -> list[Chart]:
    """Draw training against validation at the last epoch: points are settings, dots are runs."""
    summary = analysis.summary
    quantity, split = metric_of(summary.metric), split_of(summary.metric)
    points = training_and_validation(analysis)
    if split != "validation" or summary.exact or points["label"].nunique() < 2:
        return []
    below = "below" if summary.higher else "above"
    caption = (
        "Large points are means over a setting's completed runs at the last epoch; dots are the runs of the "
        "settings in colour. On the dashed line, training and validation are equal. The further "
        f"{below} it a setting lies, the larger its generalisation gap. Training {label_of(quantity)} is "
        "measured over the steps of an epoch, during which the net still changes."
    )
    title = f"{sentence_case(label_of(quantity))}: training against validation"
    return [Chart("gap", title, caption, scatter(points, quantity), live=True)]


def training_and_validation(analysis: Analysis) -> pd.DataFrame:
    """Return `label run train val tooltip` in the table's order: a row for each completed run, and the means.

    Runs without either value are left out. The `run` of a mean is "".
    """
    summary = analysis.summary
    quantity = metric_of(summary.metric)
    runs = analysis.data.runs[analysis.data.runs["status"] == "completed"]
    missing = pd.Series(float("nan"), runs.index)
    ranks = {setting: rank for rank, setting in enumerate(summary.table["setting"])}
    frame = pd.DataFrame(
        {
            "rank": runs.index.map(analysis.design.of_run).map(ranks),
            "run": runs.index,
            "train": runs.get(f"train_{quantity}_last", missing).astype("float64"),
            "val": runs.get(f"val_{quantity}_last", missing).astype("float64"),
        }
    )
    frame = frame[(frame[["train", "val"]].abs() < float("inf")).all(axis="columns")]
    means = frame.groupby("rank", as_index=False)[["train", "val"]].mean().assign(run="")
    both = pd.concat([frame, means]).sort_values("rank", kind="stable")
    both["label"] = both["rank"].map(summary.table["label"])
    both["tooltip"] = [
        f"training {write_metric(quantity, train)}, validation {write_metric(quantity, val)}"
        for train, val in zip(both["train"], both["val"], strict=True)
    ]
    return both.drop(columns="rank").reset_index(drop=True)


def scatter(points: pd.DataFrame, quantity: str) -> Spec:
    """Draw validation against training, with equal axes and the diagonal."""
    low = float(points[["train", "val"]].min().min())
    high = float(points[["train", "val"]].max().max())
    margin = max(0.03 * (high - low), SMALLEST_MARGIN)
    scale = {"domain": [low - margin, high + margin], "nice": False, "zero": False}
    x = quantitative("train", f"training {label_of(quantity)}", {"tickCount": 5}, scale)
    y = quantitative("val", f"validation {label_of(quantity)}", {"tickCount": 5}, scale)
    diagonal = pd.DataFrame({"train": scale["domain"], "val": scale["domain"]})
    labels = list(dict.fromkeys(points["label"]))[: len(COLOURS)]
    legend = legend_below(labels) | {"symbolType": "circle", "symbolStrokeWidth": 0}
    named = points["label"].isin(labels)
    layers = [layer(diagonal, {"type": "line", "color": GREY, "strokeDash": [4, 3]}, {"x": x, "y": y})]
    of_run, hues = points["run"] != "", colour("label", labels, legend)
    for part, hue, size in (
        (~of_run & ~named, {"value": GREY}, 60),
        (of_run & named, hues, 14),  # dots for all of 2000 runs would be a cloud, and a megabyte
        (~of_run & named, hues, 90),
    ):
        encoding = {"x": x, "y": y, "color": hue, "opacity": OF_PICKED, "detail": nominal("label")}
        mark = {"type": "point", "filled": True, "size": size}
        layers.append(layer(points[part], mark, encoding | tooltip("label", "tooltip"), also=["tooltip"]))
    description = f"training against validation {label_of(quantity)}, a point for each setting"
    return layered(description, 440, 300, layers, {"name": PICKED, "value": []})
