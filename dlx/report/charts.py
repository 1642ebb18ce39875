"""Charts -> SVG and PNG, without a browser.

A chart is a plain Vega-Lite (or Vega) dictionary, which vl-convert renders as it is: importing altair to
build the same dictionaries takes 0.4 s, a third of a small report (a test checks them by its schema).
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

Spec = dict[str, Any]

# Behind the last tag of every SVG written, so that a later report knows which files are its own.
MARK = "<!-- drawn by dlx report -->\n"


class Chart(NamedTuple):
    """A picture to be drawn.

    `name`: its files'. `caption`: how to read it. `spec`: None where there is only something to say.
    `wide`: whether it needs the page's whole width. `live`: whether the page's script draws it again, to
    answer the pointer and the tables.
    """

    name: str
    title: str
    caption: str
    spec: Spec | None
    wide: bool = False
    live: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart that has been drawn; `svg` is empty for one without a specification.

    `live`: the specification for the page's script, or None. It is the one that was drawn, but for the values
    of data that have a name: the page holds those once for all charts.
    """

    name: str
    title: str
    caption: str
    wide: bool
    svg: str
    live: Spec | None = None


def draw(charts: Iterable[Chart], folder: Path) -> list[Figure]:
    """Write every chart to `folder` as SVG and PNG (twice the pixels) and return them for the page."""
    import vl_convert

    figures, pictures = [], {}
    with ThreadPoolExecutor(max_workers=1) as pool:  # the PNG of a chart is made beside the SVG of the next
        for name, title, caption, spec, wide, live in charts:
            svg = ""
            if spec is not None:
                vega = "/schema/vega/" in spec["$schema"]
                svg = vl_convert.vega_to_svg(spec) if vega else vl_convert.vegalite_to_svg(spec)
                (folder / f"{name}.svg").write_text(f"{svg}\n{MARK}", encoding="utf-8")
                pictures[name] = pool.submit(vl_convert.svg_to_png, svg, scale=2)
            figures.append(Figure(name, title, caption, wide, svg, _unfilled(spec) if live else None))
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(picture.result())
    return figures


def _unfilled(spec: Any) -> Any:
    """Return a specification without the values of its named data."""
    if isinstance(spec, list):
        return [_unfilled(each) for each in spec]
    if not isinstance(spec, dict):
        return spec
    named = {"name", "values"} <= spec.keys()
    return {key: _unfilled(value) for key, value in spec.items() if not (named and key == "values")}


def discard_earlier(folder: Path) -> None:
    """Remove the plots of an earlier report, which may have drawn more; files of other makers stay."""
    for path in folder.glob("*.svg"):
        if path.read_bytes().endswith(MARK.encode()):
            path.unlink()
            path.with_suffix(".png").unlink(missing_ok=True)
