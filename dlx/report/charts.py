"""Charts -> SVG, PNG and PDF, without a browser.

A chart is a plain Vega-Lite (or Vega) dictionary, which vl-convert renders. Importing altair to build the
same dictionaries would take 0.4 s, a third of a small report; a test checks them against its schema.
"""

import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import Any, NamedTuple

from dlx.run.files import ARRAYS_LIMIT, open_regular

Spec = dict[str, Any]

# How json.dumps writes characters: those beyond 16 bits as a pair, others by number or name. Characters that
# XML does not allow end the renderer's process, and half a pair is an error.
ESCAPE = re.compile(r"\\(?:ud[89ab]..\\ud[c-f]..|u....|.)")
PAIR = re.compile(r"\\u....\\u....")
UNDRAWABLE = re.compile(r"\\(?:[bf]|u00[01].|ufff[ef]|ud[89a-f]..)")

# At the end of every SVG that is written, so that a later report recognises its own files.
MARK = "<!-- drawn by dlx report -->\n"


class Chart(NamedTuple):
    """A chart to draw.

    `name`: of its files. `caption`: how to read it. `spec`: None if there is only text. `wide`: whether it
    needs the full width of the page. `live`: whether the page's script draws it again, for tooltips.
    """

    name: str
    title: str
    caption: str
    spec: Spec | None
    wide: bool = False
    live: bool = False


@dataclass(frozen=True)
class DrawnChart:
    """A chart that has been drawn; `svg` is empty if it had no specification.

    `live`: the specification for the page's script, or None. It lacks the values of named data, which the
    page holds once for all charts.
    """

    name: str
    title: str
    caption: str
    wide: bool
    svg: str
    live: Spec | None = None


def draw_charts(charts: Iterable[Chart]) -> tuple[list[DrawnChart], dict[str, bytes]]:
    """Draw the charts for the page, and as files: SVG, PNG (at double resolution) and PDF, by their names."""
    import vl_convert

    drawn, files = [], {}
    with threads(2) as pool:  # PNG and PDF are made during the next SVG
        for name, title, caption, spec, wide, live in charts:
            svg = ""
            if spec is not None:
                svg = _render(spec)
                files[f"{name}.svg"] = pool.submit(f"{svg}\n{MARK}".encode)
                files[f"{name}.png"] = pool.submit(vl_convert.svg_to_png, svg, scale=2)
                files[f"{name}.pdf"] = pool.submit(vl_convert.svg_to_pdf, svg)
            drawn.append(DrawnChart(name, title, caption, wide, svg, _unfilled(spec) if live else None))
        return drawn, {name: content.result() for name, content in files.items()}


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads that an error or a signal does not wait for, but for what each is in the middle of."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _render(spec: Spec) -> str:
    """Return the chart as SVG; characters that the renderer cannot draw are written as escapes."""
    import vl_convert

    vega = "/schema/vega/" in spec["$schema"]
    convert = vl_convert.vega_to_svg if vega else vl_convert.vegalite_to_svg
    text = _escaped(UNDRAWABLE, json.dumps(spec))  # a quarter faster than passing the dictionary
    try:
        return convert(text)
    except ValueError:
        if (plain := _escaped(PAIR, text)) == text:
            raise
        return convert(plain)  # a label was cut in the middle of an emoji


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


def earlier_charts(folder: Path) -> Iterator[Path]:
    """Yield the files of an earlier report's charts: it may have drawn more. Other files are not ours."""
    for path in folder.glob("*.svg"):
        with suppress(OSError, ValueError), open_regular(path, ARRAYS_LIMIT) as file:
            file.seek(-len(MARK), SEEK_END)
            if file.read() == MARK.encode():
                yield from (path.with_suffix(kind) for kind in (".svg", ".png", ".pdf"))
