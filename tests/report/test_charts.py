"""Charts as files: valid SVG, PNG and PDF; charts of an earlier report are removed, other files are kept."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dlx.report.charts import Chart, discard_earlier, draw_charts

HOSTILE = "</text><script>"
VEGA_LITE: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "data": {"values": [{"x": HOSTILE}]},
    "mark": "point",
    "encoding": {"x": {"field": "x", "type": "nominal"}},
}
VEGA: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega/v6.json",
    "width": 10,
    "height": 10,
    "marks": [{"type": "text", "encode": {"enter": {"text": {"value": HOSTILE}}}}],
}


def test_charts_become_svg_png_and_pdf(tmp_path: Path) -> None:
    drawn = draw_charts(
        [Chart("lite", "t", "c", VEGA_LITE), Chart("full", "t", "c", VEGA, wide=True)], tmp_path
    )
    assert [(chart.name, chart.wide) for chart in drawn] == [("lite", False), ("full", True)]
    for chart in drawn:
        root = ElementTree.fromstring((tmp_path / f"{chart.name}.svg").read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [node for node in root.iter() if node.tag.endswith("script")]
        assert HOSTILE in "".join(root.itertext())
        assert (tmp_path / f"{chart.name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / f"{chart.name}.pdf").read_bytes().startswith(b"%PDF")
        assert chart.svg.endswith("</svg>")


@pytest.mark.parametrize("kind", [VEGA_LITE, VEGA])
def test_characters_that_xml_forbids_are_drawn_as_escapes(kind: dict[str, Any], tmp_path: Path) -> None:
    text = "\x01\b\f\x1b\ufffe\udce9 \\x1b \\\\u001b é\n\N{GRINNING FACE}"
    spec = json.loads(json.dumps(kind).replace(json.dumps(HOSTILE), json.dumps(text)))
    spec["config"] = {"axis": {"labelLimit": 0}}
    (chart,) = draw_charts([Chart("odd", "t", "c", spec)], tmp_path)
    shown = "".join(ElementTree.fromstring(chart.svg).itertext())
    assert r"\x01\x08\x0c\x1b\ufffe\udce9 \x1b \\u001b é" in shown
    assert "\N{GRINNING FACE}" in shown


def test_a_label_that_is_cut_in_the_middle_of_an_emoji_is_drawn(tmp_path: Path) -> None:
    faces = "\N{GRINNING FACE}" * 40
    for index in range(3):
        spec = json.loads(json.dumps(VEGA_LITE).replace(json.dumps(HOSTILE), json.dumps("a" * index + faces)))
        (chart,) = draw_charts([Chart("odd", "t", "c", spec)], tmp_path)
        shown = "".join(ElementTree.fromstring(chart.svg).itertext())
        assert "\N{GRINNING FACE}" in shown or r"\U0001f600" in shown


def test_a_chart_without_a_specification_has_no_files(tmp_path: Path) -> None:
    (chart,) = draw_charts([Chart("words", "title", "caption", None)], tmp_path)
    assert (chart.svg, chart.caption) == ("", "caption")
    assert not list(tmp_path.iterdir())


def test_charts_of_an_earlier_report_are_removed_and_other_files_kept(tmp_path: Path) -> None:
    draw_charts([Chart("earlier", "t", "c", VEGA_LITE)], tmp_path)
    for name in ("mine.svg", "mine.png", "mine.pdf"):
        (tmp_path / name).write_text("<svg/>")
    discard_earlier(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.pdf", "mine.png", "mine.svg"]
