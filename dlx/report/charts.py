"""Charts -> SVG, PNG and PDF, without a browser.

A chart is a plain Vega-Lite (or Vega) dictionary, which vl-convert renders. Importing altair to build the
same dictionaries would take 0.4 s, a third of a small report; a test checks them against its schema.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dlx.report import renderer
from dlx.report.kept_charts import kept_chart, sealed

Spec = dict[str, Any]

# How json.dumps writes characters: those beyond 16 bits as a pair, others by number or name. Characters that
# XML does not allow end the renderer's process, and half a pair is an error.
ESCAPE = re.compile(r"\\(?:ud[89ab]..\\ud[c-f]..|u....|.)")
PAIR = re.compile(r"\\u....\\u....")
UNDRAWABLE = re.compile(r"\\(?:[bf]|u00[01].|ufff[ef]|ud[89a-f]..)")

# A line's opacity. The PNG of a path is painted on a layer of its own if all of it is translucent, not only
# its stroke: 60 lines across a chart took 2.4 s instead of 0.2.
OF_LINE = re.compile(r'("line mark"[^>]*) opacity=')


class Chart(NamedTuple):
    """A chart, before and after it is drawn.

    `name`: of its files. `caption`: how to read it. `spec`: None if there is only text. `wide`: whether it
    needs the full width of the page. `live`: whether the page's script draws it again, for tooltips. `svg`:
    the drawing; empty before, and without a specification.
    """

    name: str
    title: str
    caption: str
    spec: Spec | None
    wide: bool = False
    live: bool = False
    svg: str = ""


def draw_chart(chart: Chart, folder: Path | None = None) -> tuple[Chart, dict[str, bytes]]:
    """Return the chart with its drawing, and its files by name: SVG, PNG (at double resolution) and PDF.

    The renderer makes the SVG. This process makes the others from it, during the renderer's next chart.
    Neither draws if the `folder` has the same chart from an earlier report.
    """
    if chart.spec is None:
        return chart, {}
    spec = json.dumps(chart.spec)
    drawn = (kept_chart(folder / chart.name, spec) if folder else None) or _draw(spec)
    files = drawn | {"svg": sealed(spec, drawn)}
    named = {f"{chart.name}.{kind}": content for kind, content in files.items()}
    return chart._replace(svg=drawn["svg"].decode()), named


def _draw(spec: str) -> dict[str, bytes]:
    import vl_convert

    svg = render_svg(spec)
    return {
        "svg": svg.encode(),
        "png": vl_convert.svg_to_png(OF_LINE.sub(r"\1 stroke-opacity=", svg), scale=2),
        "pdf": vl_convert.svg_to_pdf(svg),
    }


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads that an error or a signal does not wait for, but for what each is in the middle of."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def render_svg(spec: str) -> str:
    """Return the chart as SVG; characters that the renderer cannot draw are written as escapes.

    `spec`: as JSON, which is a quarter faster than passing the dictionary.
    """
    schema = json.loads(spec)["$schema"]
    function = "vega_to_svg" if "/schema/vega/" in schema else "vegalite_to_svg"
    text = _escaped(UNDRAWABLE, spec)
    convert = renderer.start().call
    try:
        return str(convert(function, text))
    except ValueError:
        if (plain := _escaped(PAIR, text)) == text:
            raise
        return str(convert(function, plain))  # a label was cut in the middle of an emoji


def _escaped(letters: re.Pattern[str], spec: str) -> str:
    def write(found: re.Match[str]) -> str:
        if not letters.fullmatch(found[0]):
            return found[0]
        letter: str = json.loads(f'"{found[0]}"')
        return json.dumps(letter.encode("unicode_escape").decode())[1:-1]

    return ESCAPE.sub(write, spec)
