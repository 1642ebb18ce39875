"""The plot of a surface, seen from above, with the path of each setting."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.plots.style import PANELS, chart, heading, layer, nominal, quantitative
from dlx.report.text import visible, write_value
from dlx.surface.terrain import STEPS, Terrain, survey

# ColorBrewer's Blues: readers can order them by lightness, and the path's colour stands out.
LOW, HIGH = (8, 48, 107), (237, 244, 251)
PATH = "#d55e00"  # Okabe and Ito's vermilion
ACROSS = 4


def surface(analysis: Analysis) -> list[Chart]:
    """Draw the paths over the surface, if any run descended one."""
    terrains, settings = survey(analysis, PANELS)
    if not terrains:
        return []
    name = "surface_by_setting" if len(terrains) > 1 else "surface"
    formulas = list(dict.fromkeys(visible(terrain.formula) for terrain in terrains.values()))
    title = f"The path over f = {formulas[0]}" if len(formulas) == 1 else "The path over each surface"
    caption = _caption(list(terrains.values()), settings)
    return [Chart(name, title, caption, _draw(terrains), wide=len(terrains) > 1)]


def _draw(terrains: Mapping[str, Terrain]) -> Spec:
    """Draw a panel for each setting, with one legend if all have the same surface."""
    across = min(len(terrains), ACROSS)
    shared = len({id(terrain) for terrain in terrains.values()}) == 1
    panels = [
        _panel(
            terrain,
            label if len(terrains) > 1 else "",
            legend=shared,
            x_title="x" if index + across >= len(terrains) else None,
            y_title="y" if index % across == 0 else None,
        )
        for index, (label, terrain) in enumerate(terrains.items())
    ]
    body = {
        "concat": panels,
        "columns": across,
        "resolve": {"scale": {"fill": "shared" if shared else "independent"}},
    }
    return chart("the path of each setting over the surface it descended", body)


def _panel(terrain: Terrain, label: str, *, legend: bool, x_title: str | None, y_title: str | None) -> Spec:
    width = 216 if label else 440
    box = terrain.box
    lines, steps, ends = (
        frame[frame["label"] == label] if label else frame
        for frame in (terrain.lines, terrain.steps, terrain.ends)
    )
    axis = {"grid": False, "domain": False, "tickCount": 5}
    scale = {"nice": False, "zero": False}
    x = quantitative("x", x_title, axis, {"domain": [box.left, box.right]} | scale)
    y = quantitative("y", y_title, axis, {"domain": [box.bottom, box.top]} | scale)
    point = {"x": x, "y": y}
    path = point | {"order": {"field": "order", "type": "quantitative"}, "detail": nominal("piece")}
    layers = [
        _ground(terrain, width, legend=legend),
        layer(lines, _LINE | {"stroke": "white", "strokeWidth": 3}, path),
        layer(lines, _LINE | {"stroke": PATH, "strokeWidth": 1.7}, path),
        layer(steps, _DOT | {"size": 22, "fill": PATH}, point),
        *(layer(ends[ends["kind"] == kind], mark, point) for kind, mark in _ENDS),
    ]
    size = {"width": width, "height": round(width * box.height / box.width)}
    return size | {"layer": [*layers, heading(label, width)]}


_LINE: Spec = {"type": "line", "strokeJoin": "round", "strokeCap": "round"}
_DOT: Spec = {"type": "point", "shape": "circle", "stroke": "white", "strokeWidth": 0.8, "opacity": 1}
_CROSS: Spec = {"type": "point", "shape": "M-1,-1L1,1M-1,1L1,-1", "size": 80, "opacity": 1}
_ENDS: tuple[tuple[str, Spec], ...] = (
    ("start", _DOT | {"size": 130, "fill": "white", "stroke": PATH, "strokeWidth": 2}),
    ("end", _DOT | {"size": 75, "fill": PATH, "strokeWidth": 1.4}),
    ("left", _CROSS | {"stroke": "white", "strokeWidth": 4.5}),
    ("left", _CROSS | {"stroke": PATH, "strokeWidth": 2.4}),
)


def _ground(terrain: Terrain, width: int, *, legend: bool) -> Spec:
    """Shade the bands of height; `width` is the width of the panel in pixels."""
    names = [f"{write_value(low)} to {write_value(high)}" for low, high in pairwise(terrain.levels)]
    shapes = [
        {"type": "Feature", "band": name, "geometry": {"type": "MultiPolygon", "coordinates": band}}
        for name, band in zip(names, terrain.bands, strict=True)
    ]
    colours = _shades(len(names))
    key = {"title": "f", "orient": "right", "symbolType": "square", "symbolSize": 160, "symbolStrokeWidth": 0}
    fill = {
        "field": "band",
        "type": "nominal",
        "scale": {"domain": names[::-1], "range": colours[::-1]},  # the highest on top of the legend
        "legend": key if legend else None,
    }
    return {
        "data": {"values": shapes},
        "mark": {"type": "geoshape", "stroke": "white", "strokeWidth": 0.5, "strokeOpacity": 0.7},
        # Equal in all panels, because the renderer uses one projection per chart.
        "projection": {"type": "identity", "scale": width, "translate": [0, 0]},
        "encoding": {"fill": fill},
    }


def _shades(count: int) -> list[str]:
    shares = [index / max(1, count - 1) for index in range(count)]
    mixed = [[round(a + share * (b - a)) for a, b in zip(LOW, HIGH, strict=True)] for share in shares]
    return ["#" + "".join(f"{part:02x}" for part in colour) for colour in mixed]


def _caption(terrains: Sequence[Terrain], settings: int) -> str:
    """Explain the shades and the marks, and say what is not drawn."""
    sentences = [
        "Seen from above, with one scale for x and y",
        "Darker is lower; shades follow the quantiles of the height, so steps between them are not equal",
        "The ring is the start, the points are the steps, the disc is the end",
    ]
    if len(terrains) < settings:
        sentences.append(f"Only the first {len(terrains)} of {settings} settings in the table are drawn")
    if any((terrain.ends["kind"] == "left").any() for terrain in terrains):
        sentences.append("A cross marks the point where a path leaves the plot for good or is last finite")
    if any(len(terrain.steps) == 0 for terrain in terrains):
        sentences.append(f"Paths of more than {STEPS} steps are drawn without points")
    if (every := max(terrain.every for terrain in terrains)) > 1:
        sentences.append(f"On the longest paths, one step in {every} is drawn")
    return ". ".join(sentences) + "."
