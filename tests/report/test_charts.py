"""Charts as files: valid SVG, PNG and PDF; charts of an earlier report are removed, other files are kept."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dlx.report.charts import Chart, draw_chart
from dlx.report.kept_charts import earlier_charts

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


def test_charts_become_svg_png_and_pdf() -> None:
    charts = [Chart("lite", "t", "c", VEGA_LITE), Chart("full", "t", "c", VEGA, wide=True)]
    drawn, made = zip(*map(draw_chart, charts), strict=True)
    files = made[0] | made[1]
    assert len(files) == 6
    assert [(chart.name, chart.wide) for chart in drawn] == [("lite", False), ("full", True)]
    for chart in drawn:
        root = ElementTree.fromstring(files[f"{chart.name}.svg"].decode())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [node for node in root.iter() if node.tag.endswith("script")]
        assert HOSTILE in "".join(root.itertext())
        assert files[f"{chart.name}.png"].startswith(b"\x89PNG")
        assert files[f"{chart.name}.pdf"].startswith(b"%PDF")
        assert chart.svg.endswith("</svg>")


@pytest.mark.parametrize("kind", [VEGA_LITE, VEGA])
def test_characters_that_xml_forbids_are_drawn_as_escapes(kind: dict[str, Any]) -> None:
    text = "\x01\b\f\x1b\ufffe\udce9 \\x1b \\\\u001b é\n\N{GRINNING FACE}"
    spec = json.loads(json.dumps(kind).replace(json.dumps(HOSTILE), json.dumps(text)))
    spec["config"] = {"axis": {"labelLimit": 0}}
    chart, _ = draw_chart(Chart("odd", "t", "c", spec))
    shown = "".join(ElementTree.fromstring(chart.svg).itertext())
    assert r"\x01\x08\x0c\x1b\ufffe\udce9 \x1b \\u001b é" in shown
    assert "\N{GRINNING FACE}" in shown


def test_a_label_that_is_cut_in_the_middle_of_an_emoji_is_drawn() -> None:
    faces = "\N{GRINNING FACE}" * 40
    for index in range(3):
        spec = json.loads(json.dumps(VEGA_LITE).replace(json.dumps(HOSTILE), json.dumps("a" * index + faces)))
        chart, _ = draw_chart(Chart("odd", "t", "c", spec))
        shown = "".join(ElementTree.fromstring(chart.svg).itertext())
        assert "\N{GRINNING FACE}" in shown or r"\U0001f600" in shown


def test_a_chart_without_a_specification_has_no_files() -> None:
    chart, files = draw_chart(Chart("words", "title", "caption", None))
    assert (chart.svg, chart.caption) == ("", "caption")
    assert not files


def test_charts_of_an_earlier_report_are_told_from_other_files(tmp_path: Path) -> None:
    _, files = draw_chart(Chart("earlier", "t", "c", VEGA_LITE))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in ("mine.svg", "mine.png", "mine.pdf"):
        (tmp_path / name).write_text("<svg/>")
    assert {path.name for path in earlier_charts(tmp_path)} == set(files)
