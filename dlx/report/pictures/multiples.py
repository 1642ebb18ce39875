"""Small multiples by epoch: a panel for each layer or parameter, settings by colour, the split by dashes."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlx.report.charts import Spec
from dlx.report.pictures.style import (
    DASHES,
    PANELS,
    SPLITS,
    chart,
    colour,
    epoch_axis,
    heading,
    layer,
    legend_below,
    nominal,
    quantitative,
)
from dlx.report.pictures.ticks import log_ticks

if TYPE_CHECKING:
    import pandas as pd

ACROSS = 4
DECADES = 100.0  # values that span more are drawn on a logarithmic axis
TINY, HUGE = 0.005, 1e5  # outside, 2e-4 is easier to read than 0.0002


@dataclass(frozen=True)
class Multiples:
    """`frame`: columns `panel label split epoch value`, one row a point.

    `panels` and `labels` are in the order in which they are shown. `ticks`: of the panels whose values
    span two decades, which get a logarithmic axis. `as_powers`: panels whose numbers are best
    written as 2e-4. `held`: whether a zero is drawn at the foot of a logarithmic axis.
    """

    frame: "pd.DataFrame"
    panels: list[str]
    labels: list[str]
    ticks: dict[str, list[float]]
    as_powers: set[str]
    held: bool

    @property
    def caption(self) -> list[str]:
        """Return the sentences on axes and lines that every such picture needs."""
        sentences = ["Solid is validation, dashed is training"] if len(set(self.frame["split"])) > 1 else []
        sentences.append("Each panel has its own vertical axis")
        if self.ticks:
            sentences[-1] += ", logarithmic where the values span two decades"
        if self.held:
            sentences.append("Zeros are drawn at the foot of a logarithmic axis")
        return sentences


def arrange(
    frame: "pd.DataFrame", panels: list[str], labels: list[str], *, may_be_log: Collection[str]
) -> Multiples:
    """Keep the first twelve panels; those of `may_be_log` that span two decades get a logarithmic axis.

    Zeros there are held at the panel's smallest value above 0.
    """
    panels = panels[:PANELS]
    frame = frame[frame["panel"].isin(panels) & frame["value"].abs().lt(float("inf"))]
    above = frame[frame["value"] > 0].groupby("panel")["value"].agg(["min", "max"])
    wide = above[(above["max"] / above["min"] > DECADES) & above.index.isin(list(may_be_log))]
    floors = frame["panel"].map(wide["min"])
    held = frame["value"] < floors  # NaN, where the axis is linear, is below nothing
    frame = frame.assign(value=frame["value"].where(~held, floors))
    ticks = {str(panel): log_ticks(low, high) for panel, low, high in wide.itertuples()}
    largest = frame["value"].abs().groupby(frame["panel"]).max()
    written = {panel: ticks.get(panel) or [largest.get(panel, 1.0)] for panel in panels}
    as_powers = {panel for panel, values in written.items() if min(values) < TINY or max(values) >= HUGE}
    return Multiples(frame, panels, labels, ticks, as_powers, bool(held.any()))


def multiples(plan: Multiples, quantity: str | None, description: str) -> Spec:
    """Draw the panels, four in a row, with one legend below all."""
    across = min(ACROSS, len(plan.panels))
    splits = [split for split in SPLITS if split in set(plan.frame["split"])]
    last = int(plan.frame["epoch"].max()) if len(plan.frame) else 0
    legend = legend_below(plan.labels, wide=True) if len(plan.labels) > 1 else None
    width = (1000 - 52 * across) // across if across > 1 else 440
    panels = []
    for place, name in enumerate(plan.panels):
        encoding = {
            "x": epoch_axis("epoch" if place + across >= len(plan.panels) else None, last),
            "y": _values(plan, name, quantity if place % across == 0 else None),
            "color": colour("label", plan.labels, legend),
        }
        if len(splits) > 1:
            encoding["strokeDash"] = nominal("split") | {"scale": DASHES, "legend": None}
        mark = {"type": "line", "strokeWidth": 1.6, "strokeJoin": "round"}
        part = plan.frame[plan.frame["panel"] == name]
        panels.append(
            {"width": width, "height": 110, "layer": [heading(name, width), layer(part, mark, encoding)]}
        )
    return chart(description, {"concat": panels, "columns": across, "spacing": {"row": 60, "column": 52}})


def _values(plan: Multiples, name: str, title: str | None) -> Spec:
    ticks: Spec = {"tickCount": 4} | ({"format": "~e"} if name in plan.as_powers else {})
    if name not in plan.ticks:
        return quantitative("value", title, ticks, {"zero": False})
    return quantitative("value", title, ticks | {"values": plan.ticks[name]}, {"type": "log", "nice": False})
