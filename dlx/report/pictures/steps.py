"""The loss of every update step, smoothed by a moving average."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.reading import Found, read_first
from dlx.report.pictures.style import COLOURS, GREY, chart, colour, layer, legend_below, nominal, quantitative
from dlx.report.pictures.ticks import log_ticks
from dlx.report.summary import Summary
from dlx.report.text import visible, write_value
from dlx.run.probes import STEPS, read_steps

if TYPE_CHECKING:
    import pandas as pd

WINDOW = 25  # steps, as in the source experiment
POINTS = 400
TITLE = "Training loss by update step"


@dataclass(frozen=True)
class Smoothed:
    """`frame`: columns `line step loss`, a row for each point drawn, the mean of `window` steps up to it.

    `lines`: in the order of the table. `every`: how many steps lie between two points. `ticks`: of the
    loss axis if its values span more than two decades and it is logarithmic, else none.
    """

    frame: "pd.DataFrame"
    lines: list[str]
    window: int
    every: int
    ticks: list[float]


def steps(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw a line a setting, or a line a run where all runs have one setting."""
    found = read_first(study, layout, summary, STEPS, read_steps, len(COLOURS))
    found = found.keeping(lambda table: len(table) > 0)
    lines = _lines(study, layout, found)
    if not lines:
        return found.instead("steps", TITLE)
    smoothed = smooth(lines)
    sentences = [found.means("Lines") if len(found.by_setting) > 1 else "Each line is a single run"]
    if smoothed.window > 1:
        sentences.append(f"Each point is the mean loss of the {smoothed.window} steps up to it")
    else:
        sentences.append(f"Not smoothed, with fewer than {2 * WINDOW} steps")
    if smoothed.every > 1:
        sentences.append(f"Every {smoothed.every}th step is drawn")
    if len(lines) > len(COLOURS):
        sentences.append(
            f"The first {len(COLOURS)} of {len(lines)} runs are in colour, the others thin and grey"
        )
    return [Chart("steps", TITLE, found.caption(sentences), trail(smoothed), wide=True)]


def _lines(study: StudyData, layout: Design, found: "Found[pd.DataFrame]") -> "dict[str, list[pd.DataFrame]]":
    """Return the tables to average by line: those of a setting, or each run's where there is one setting."""
    if len(found.by_setting) != 1:
        return {label: list(runs.values()) for label, runs in found.by_setting.items()}
    (runs,) = found.by_setting.values()
    seeds = {run: [write_value(study.settings[run].get(key)) for key in layout.seeds] for run in runs}
    words = {run: ", ".join(map(" ".join, zip(layout.seeds, seeds[run], strict=True))) for run in runs}
    told_apart = bool(layout.seeds) and len(set(words.values())) == len(runs)
    ordered = sorted(runs, key=lambda run: [(len(seed), seed) for seed in seeds[run]])
    return {visible(words[run] if told_apart else run): [runs[run]] for run in ordered}


def smooth(lines: "dict[str, list[pd.DataFrame]]") -> Smoothed:
    """Average each line's runs at equal steps, as far as all of them go, then over a moving window."""
    import pandas as pd

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
        points = points[::-1][::every][::-1]  # the last one is kept
        parts.append(pd.DataFrame({"line": line, "step": points.index, "loss": points.to_numpy()}))
    frame = pd.concat(parts, ignore_index=True)
    low, high = frame["loss"].min(), frame["loss"].max()
    return Smoothed(frame, list(means), window, every, log_ticks(low, high) if 0 < low < high / 100 else [])


def trail(smoothed: Smoothed) -> Spec:
    """Draw the lines over each other."""
    y_scale: Spec = {"type": "log", "nice": False} if smoothed.ticks else {"zero": False}
    y_axis = {"values": smoothed.ticks, "format": "~g"} if smoothed.ticks else {"tickCount": 6}
    named = smoothed.lines[: len(COLOURS)]
    along = {
        "x": quantitative(
            "step", "update steps", {"grid": False, "tickMinStep": 1, "tickCount": 8}, {"nice": False}
        ),
        "y": quantitative("loss", "training loss (mean per sample)", y_axis, y_scale),
    }
    legend = legend_below(named, wide=True) if len(named) > 1 else None
    mark = {"type": "line", "strokeJoin": "round"}
    others = {"detail": nominal("line"), "color": {"value": GREY}}
    in_colour = smoothed.frame["line"].isin(named)
    layers = [
        layer(smoothed.frame[~in_colour], mark | {"strokeWidth": 0.8}, along | others),
        layer(
            smoothed.frame[in_colour],
            mark | {"strokeWidth": 1.4},
            along | {"color": colour("line", named, legend)},
        ),
    ]
    drawn = [each for each in layers if each["data"]["values"]]
    return chart("training loss by update step", {"width": 900, "height": 280, "layer": drawn})
