"""The report's plots for print: as wide as a journal's column, with letters of 7 and 8 points.

A plot of the page has letters of 11 and 12 pixels. Here its panels are made narrower or wider until the whole
plot, at two thirds of a point for each pixel, has the width that is asked for. Panels that would be too
narrow move into another row.
"""

import json
import math
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from dlx.report.analysis import Analysis
from dlx.report.charts import OF_LINE, Chart, Spec, render_svg
from dlx.report.export.width import Width
from dlx.report.kept_charts import sealed
from dlx.report.plots.answer import answer_chart
from dlx.report.plots.gallery import gallery
from dlx.report.plots.style import label_angle

FOLDER = "figures"
SCALE = 2 / 3  # points for each pixel of the page's plots
PPI = 600  # of the PNG; journals ask for 300 or more, and for 600 where lines are thin
NARROWEST = 90  # pixels of a panel
LETTER = 6.5  # pixels, on average
SYMBOL = 60  # pixels of a legend's entry beside its text
MOST_OF_ROWS = 0.48  # of a plot's width, for the names of its rows
ROW_SPACING, COLUMN_SPACING = 60, 44  # pixels between panels
TITLE_BEYOND = 20  # pixels by which a panel's title may be wider than the panel
TRIES = 5
SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)"')


def figures(analysis: Analysis, width: Width) -> dict[str, bytes]:
    """Return the files of all plots by their paths: SVG, PNG and PDF, each of them as wide as `width`."""
    answer = answer_chart(analysis)
    charts = {chart.name: chart for each in gallery(analysis).values() for chart in each}
    if answer:
        charts[answer.name] = answer
    files: dict[str, bytes] = {}
    for chart in charts.values():
        files |= {f"{FOLDER}/{chart.name}.{kind}": each for kind, each in _draw(chart, width).items()}
    return files


def _draw(chart: Chart, width: Width) -> dict[str, bytes]:
    import vl_convert

    if chart.spec is None:
        return {}
    svg = _fitted(chart.spec, width.points / SCALE)
    across, down = _size(svg)
    points = width.points, width.points * down / across
    # One pixel of the renderer is a point of the PDF.
    printed = SIZE.sub(f'width="{points[0]:.4f}" height="{points[1]:.4f}"', svg, count=1)
    mm = [each * width.mm / width.points for each in points]
    files = {
        "svg": SIZE.sub(f'width="{mm[0]:.3f}mm" height="{mm[1]:.3f}mm"', svg, count=1).encode(),
        "png": vl_convert.svg_to_png(OF_LINE.sub(r"\1 stroke-opacity=", printed), ppi=PPI),
        "pdf": vl_convert.svg_to_pdf(printed),
    }
    return files | {"svg": sealed(json.dumps(chart.spec), files)}


def _fitted(spec: Spec, target: float) -> str:
    """Return the plot as SVG, `target` pixels wide if its panels allow it."""
    if any(mark.get("type") == "image" for mark in _marks(spec)):
        return render_svg(json.dumps(spec))  # pixels cannot be laid out anew
    columns = _in_a_row(spec)
    for across in range(columns, 0, -1):
        svg, narrowest = _solve(spec, target, across)
        if narrowest >= NARROWEST:
            break
    return svg


def _solve(spec: Spec, target: float, across: int) -> tuple[str, float]:
    """Find the factor of the panels' widths by Newton's method; return the SVG and the narrowest panel."""
    factor, slope = 1.0, 0.0
    svg = ""
    for _ in range(TRIES):
        new = _laid_out(spec, factor, target, across)
        svg = render_svg(json.dumps(new))
        missing = target - _size(svg)[0]
        panels = [each["width"] for each in _views(new) if isinstance(each.get("width"), int | float)]
        if abs(missing) < 1 or not panels:
            break
        slope = min(across, _in_a_row(spec)) * max(panels) / factor
        factor = max(0.1, factor + missing / slope)
    return svg, min(panels, default=math.inf)


def _laid_out(spec: Spec, factor: float, target: float, across: int) -> Spec:
    """Return the plot with panels of other widths, at most `across` in a row."""
    new = deepcopy(spec)
    for view in list(_views(new)):
        if isinstance(view.get("width"), int | float):
            view["width"] = max(1, round(view["width"] * factor))
        if "hconcat" in view:
            view["concat"], view["columns"] = view.pop("hconcat"), across
            view["spacing"] = {"row": ROW_SPACING, "column": view.get("spacing", COLUMN_SPACING)}
        if "concat" in view:
            view["columns"] = min(view.get("columns", across), across)
            _title_the_edges(view["concat"], view["columns"])
        if "layer" in view or "mark" in view:
            wide = view.get("width")
            for part in _parts(view):
                _narrow(part, factor, target, wide if isinstance(wide, int) else target)
    # Numbers along an axis may have no room; a name is never left out, because names get rows or tilt.
    widths = [view["width"] for view in _views(new) if isinstance(view.get("width"), int)]
    new["config"]["title"]["limit"] = min([*widths, new["config"]["title"]["limit"]]) + TITLE_BEYOND
    new["config"]["axis"] |= {"labelOverlap": "greedy", "labelSeparation": 4}
    return new


def _title_the_edges(panels: list[Spec], across: int) -> None:
    """Move a title that all panels share to the first of each row, or to the last of each column."""
    for channel in ("x", "y"):
        axes = [
            [part[channel]["axis"] for part in _parts(panel) if (part.get(channel) or {}).get("axis")]
            for panel in panels
        ]
        titles = {axis.get("title") for each in axes for axis in each} - {None}
        if len(titles) != 1:
            continue
        for index, each in enumerate(axes):
            at_edge = index + across >= len(panels) if channel == "x" else index % across == 0
            for axis in each:
                axis["title"] = next(iter(titles)) if at_edge else None


def _narrow(part: Spec, factor: float, target: float, panel: float) -> None:
    """Fit what has a width of its own: legends, the labels of rows, headings, labels side by side."""
    if isinstance(legend := part.get("legend"), dict) and "columns" in legend:
        labels = part.get("scale", {}).get("domain", [])
        entry = SYMBOL + LETTER * max((len(str(label)) for label in labels), default=0)
        legend["columns"] = max(1, min(legend["columns"], int(target // entry)))
        legend["labelLimit"] = min(legend.get("labelLimit", target), target - SYMBOL)
    if "minExtent" in part:
        part["labelLimit"] = min(part["labelLimit"], round(MOST_OF_ROWS * target))
        part["minExtent"] = min(part["minExtent"], part["labelLimit"])
    labels = part.get("sort")
    if isinstance(labels, list) and (part.get("axis") or {}).get("labelAngle") == 0:
        part["axis"] |= label_angle(labels, round(panel))
    if factor < 1 and "limit" in part:
        part["limit"] = max(1, round(part["limit"] * factor))


def _size(svg: str) -> tuple[float, float]:
    found = SIZE.search(svg)
    assert found is not None, "the renderer writes both"
    return float(found[1]), float(found[2])


def _in_a_row(spec: Spec) -> int:
    """Return how many panels of a plot are side by side."""
    rows: list[list[Spec]] = [view.get("hconcat") or view.get("concat") or [view] for view in _views(spec)]
    return max(
        min(len(row), int(view.get("columns", len(row))))
        for row, view in zip(rows, _views(spec), strict=True)
    )


def _views(spec: Spec) -> Iterator[Spec]:
    """Yield a plot and the views in it."""
    yield spec
    for key in ("hconcat", "vconcat", "concat"):
        for inner in spec.get(key, []):
            yield from _views(inner)


def _marks(spec: Spec) -> Iterator[dict[str, Any]]:
    for part in _parts(spec):
        if isinstance(mark := part.get("mark"), dict):
            yield mark


def _parts(value: Any) -> Iterator[Spec]:
    """Yield every dictionary in a plot but for its data."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key != "data":
                yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)
