"""Charts -> SVG, PNG and PDF, without a browser.

A chart is a plain Vega-Lite (or Vega) dictionary, which vl-convert renders as it is: importing altair to
build the same dictionaries takes 0.4 s, a third of a small report (a test checks them by its schema).
"""

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

Spec = dict[str, Any]

# As json.dumps writes letters: beyond 16 bits as a pair, others by number or name. What XML does not have
# ends the renderer's process, half a pair is an error.
ESCAPE = re.compile(r"\\(?:ud[89ab]..\\ud[c-f]..|u....|.)")
PAIR = re.compile(r"\\u....\\u....")
UNDRAWABLE = re.compile(r"\\(?:[bf]|u00[01].|ufff[ef]|ud[89a-f]..)")

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
    """Write every chart to `folder` as SVG, PNG (twice the pixels) and PDF, and return them for the page."""
    import vl_convert

    figures, pictures = [], {}
    with ThreadPoolExecutor(max_workers=2) as pool:  # PNG and PDF of a chart are made beside the next's SVG
        for name, title, caption, spec, wide, live in charts:
            svg = ""
            if spec is not None:
                svg = _render(spec)
                (folder / f"{name}.svg").write_text(f"{svg}\n{MARK}", encoding="utf-8")
                pictures[f"{name}.png"] = pool.submit(vl_convert.svg_to_png, svg, scale=2)
                pictures[f"{name}.pdf"] = pool.submit(vl_convert.svg_to_pdf, svg)
            figures.append(Figure(name, title, caption, wide, svg, _unfilled(spec) if live else None))
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture.result())
    return figures


def _render(spec: Spec) -> str:
    """Return the chart as SVG, with letters that the renderer cannot draw as their escapes."""
    import vl_convert

    vega = "/schema/vega/" in spec["$schema"]
    convert = vl_convert.vega_to_svg if vega else vl_convert.vegalite_to_svg
    text = _escaped(UNDRAWABLE, json.dumps(spec))  # as text it takes a quarter less time than as a dictionary
    try:
        return convert(text)
    except ValueError:
        if (plain := _escaped(PAIR, text)) == text:
            raise
        return convert(plain)  # a label had been cut to its width in the middle of an emoji


def _escaped(letters: re.Pattern[str], spec: str) -> str:
    def write(found: re.Match[str]) -> str:
        if not letters.fullmatch(found[0]):
            return found[0]
        letter: str = json.loads(f'"{found[0]}"')
        return json.dumps(letter.encode("unicode_escape").decode())[1:-1]

    return ESCAPE.sub(write, spec)


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
            for kind in (".png", ".pdf"):
                path.with_suffix(kind).unlink(missing_ok=True)
