"""Results against a swept number: a figure for each key, a line for each choice of the other keys."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.design import label as label_of
from dlx.report.load import StudyData
from dlx.report.pictures.ends import end_values, measures
from dlx.report.pictures.style import (
    COLOURS,
    GREY,
    chart,
    colour,
    heading,
    layer,
    legend_below,
    nominal,
    quantitative,
)
from dlx.report.pictures.ticks import log_ticks
from dlx.report.summary import Summary
from dlx.report.text import visible, write_count

if TYPE_CHECKING:
    import pandas as pd

KEYS = 6  # figures; a search over more keys is better read from the table
VALUES = 3  # of a key, at least: two points make no curve
TICKS = 8
LONG = 1e5  # from here on a tick is written as a power
DECADE = 10.0


@dataclass(frozen=True)
class Sweep:
    """One figure. `heading`: the key's short name; `word`: what stands before its numbers, "normal:", or "".

    `frame`: columns `value line measure mean low high n`, a row for each setting that completed and each
    of `measures`. `lines`: those of at least two values, the one with the best setting first; the line of a
    setting that no line joins is "". `scale`: linear, log, or symlog, which has a place for 0 and whose
    unit is `smallest`, the smallest value above 0. `spans`: by measure, the lowest and highest value, one
    for last and best. `ticks`: of the measures that span two decades and are drawn on a logarithmic axis.
    `missing`: settings without a completed run.
    """

    key: str
    heading: str
    word: str
    frame: "pd.DataFrame"
    measures: dict[str, str]
    lines: list[str]
    scale: str
    smallest: float
    spans: dict[str, tuple[float, float]]
    ticks: dict[str, list[float]]
    missing: int


def swept(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw a figure for every key that takes at least three numbers, the first six keys."""
    keys = [key for key in layout.keys if len(set(numbers(layout, key).values())) >= VALUES]
    if not keys:
        return []
    values = end_values(study, summary)
    charts: list[Chart] = []
    for place, key in enumerate(keys[:KEYS]):
        sweep = against(layout, summary, key, values)
        if sweep.frame.empty:
            continue
        stem = re.sub(r"[^a-zA-Z0-9]+", "_", key).strip("_")[:60] or "key"
        name = f"swept_{stem}" + (
            f"_{place}" if any(chart.name == f"swept_{stem}" for chart in charts) else ""
        )
        title = f"Against {sweep.heading}"
        charts.append(Chart(name, title, _caption(sweep, summary), points(sweep), wide=True))
    return charts


def numbers(layout: Design, key: str) -> dict[int, tuple[str, float]]:
    """Return, by setting, the number that `key` has there and the word before it ("normal:0.01").

    If several words come with numbers, only those with the most frequent word.
    """
    found = {place: _number(row[key]) for place, row in enumerate(layout.rows)}
    read = {place: number for place, number in found.items() if number}
    words = [word for word, _ in read.values()]
    commonest = max(dict.fromkeys(words), key=words.count, default="")
    return {place: number for place, number in read.items() if number[0] == commonest}


def _number(value: Any) -> tuple[str, float] | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        return "", float(value)
    match = (
        re.fullmatch(r"([a-z_]+:)([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)", value) if isinstance(value, str) else None
    )
    try:
        return (match[1], float(match[2])) if match else None
    except ValueError:  # 1.2.3
        return None


def against(layout: Design, summary: Summary, key: str, values: "pd.DataFrame") -> Sweep:
    """Join each setting's estimates with its number and its line.

    `values`: by run, a column for each measure (see `ends.end_values`).
    """
    given = numbers(layout, key)
    others = [other for other in layout.keys if other != key]
    line_of = {
        place: label_of({other: layout.rows[place][other] for other in others}, layout.names)
        for place in given
    }
    estimates = _estimate(values.assign(setting=values.index.map(layout.of_run)), given)
    frame = estimates.assign(
        value=estimates["setting"].map({place: number for place, (_, number) in given.items()}),
        line=estimates["setting"].map(line_of),
    ).sort_values("value", kind="stable")
    joined = frame.groupby("line")["value"].nunique()
    order = dict.fromkeys(line_of[place] for place in summary.table["setting"] if place in line_of)
    lines = [line for line in order if joined.get(line, 0) > 1]
    frame["line"] = frame["line"].where(frame["line"].isin(lines), "")
    shown = measures(summary)
    above = [number for _, number in given.values() if number > 0]
    spans = {name: _span(frame, [name, *_pair(name)]) for name in shown}
    return Sweep(
        key=key,
        heading=visible(layout.names[key]),
        word=next(iter(given.values()))[0],
        frame=frame,
        measures={name: title for name, title in shown.items() if (frame["measure"] == name).any()},
        lines=lines,
        scale=_scale([number for _, number in given.values()]),
        smallest=min(above, default=1.0),
        spans=spans,
        ticks={name: log_ticks(*ends) for name, ends in spans.items() if 0 < ends[0] < ends[1] / 100},
        missing=len(given) - frame["setting"].nunique(),
    )


def _estimate(values: "pd.DataFrame", settings: Collection[int]) -> "pd.DataFrame":
    """Return mean, lowest, highest and count by setting and measure, of those settings."""
    tall = values.melt(id_vars="setting", var_name="measure").dropna(subset="value")
    grouped = tall[tall["setting"].isin(list(settings))].groupby(["setting", "measure"])["value"]
    return grouped.agg(mean="mean", low="min", high="max", n="count").reset_index()


def _pair(measure: str) -> list[str]:
    """Return the measure that is shown on the same axis: the last epoch's beside the best epoch's."""
    stem, _, rule = measure.rpartition("_")
    return [f"{stem}_{'best' if rule == 'last' else 'last'}"] if rule in ("last", "best") else []


def _span(frame: "pd.DataFrame", measures: list[str]) -> tuple[float, float]:
    part = frame[frame["measure"].isin(measures)]
    return float(part["low"].min()), float(part["high"].max())


def _scale(values: list[float]) -> str:
    above = [value for value in values if value > 0]
    if min(values) < 0 or not above or max(above) / min(above) <= DECADE:
        return "linear"
    return "symlog" if 0 in values else "log"


def points(sweep: Sweep) -> Spec:
    """Put a panel for each measure beside each other: means, ranges over seeds, lines through them."""
    lines = sweep.lines[: len(COLOURS)]
    legend = legend_below(lines, wide=True) if len(sweep.lines) > 1 else None
    colours = {"color": colour("line", lines, legend)}
    named, alone = sweep.frame["line"].isin(lines), sweep.frame["line"] == ""
    lonely = {"value": COLOURS[0] if not lines else GREY}
    panels = []
    for measure, title in sweep.measures.items():
        of = sweep.frame["measure"] == measure
        y = _y(sweep, measure)
        x = _x(sweep)
        layers = []
        for chosen, encoding, width in (
            (~named & ~alone, {"color": {"value": GREY}, "detail": nominal("line")}, 0.8),
            (alone, {"color": lonely}, 0.0),
            (named, colours, 1.8),
        ):
            part = sweep.frame[of & chosen]
            along = {"x": x, "y": y} | encoding
            ranges = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}} | encoding
            layers += [
                layer(part[part["n"] > 1], {"type": "rule", "strokeWidth": 1.2, "opacity": 0.6}, ranges),
                layer(part if width else part[:0], {"type": "line", "strokeWidth": width}, along),
                layer(part, {"type": "point", "filled": True, "size": 26, "opacity": 1}, along),
            ]
        drawn = [each for each in layers if each["data"]["values"]]
        width = (960 - 44 * len(sweep.measures)) // len(sweep.measures)
        drawn.append(heading(title, width + 30, bold=False))
        panels.append({"width": width, "height": 190, "layer": drawn})
    return chart(f"results against {sweep.heading}", {"hconcat": panels, "spacing": 44})


def _y(sweep: Sweep, measure: str) -> Spec:
    domain = list(sweep.spans[measure])
    if measure not in sweep.ticks:
        return quantitative("mean", None, {"tickCount": 5}, {"domain": domain, "nice": True, "zero": False})
    values = sweep.ticks[measure]
    ticks = {"values": values, "format": "~e" if max(values) >= LONG else "~g"}
    return quantitative("mean", None, ticks, {"type": "log", "domain": domain, "nice": False})


def _x(sweep: Sweep) -> Spec:
    scale: Spec = {"type": sweep.scale, "zero": False, "nice": False, "padding": 8}
    if sweep.scale != "linear":
        del scale["zero"]
    if sweep.scale == "symlog":
        scale["constant"] = sweep.smallest
    given = sorted(set(sweep.frame["value"]))
    ticks: Spec = {"grid": False, "labelOverlap": "greedy", "tickCount": 5}
    if len(given) <= TICKS or sweep.scale == "symlog":
        ticks |= {"values": given, "format": "~g"}
    elif sweep.scale == "log":
        ticks |= {"values": log_ticks(given[0], given[-1]), "format": "~g"}
    title = f"{sweep.heading} ({sweep.word}…)" if sweep.word else sweep.heading
    return quantitative("value", title, ticks, scale)


def _caption(sweep: Sweep, summary: Summary) -> str:
    many = bool((sweep.frame["n"] > 1).any())
    sentences = [
        "Points are means over the completed runs of a setting" if many else "Each point is a single run"
    ]
    if many:
        sentences.append("Rules reach from the lowest to the highest")
    sentences.append(f"The best epoch is picked by {summary.monitor or 'the monitor of each run'}")
    if len(sweep.lines) > len(COLOURS):
        rest = len(sweep.lines) - len(COLOURS)
        sentences.append(f"The first {len(COLOURS)} lines are in colour, {rest} more thin and grey")
    if sweep.scale != "linear":
        sentences.append(
            f"The axis of {sweep.heading} is logarithmic"
            + (", with a place for 0" if sweep.scale == "symlog" else "")
        )
    if sweep.missing:
        sentences.append(f"{write_count(sweep.missing, 'setting')} without a completed run: no point")
    return ". ".join(sentences) + "."
