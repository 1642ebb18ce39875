"""Names that would act as markup, formulas, commands or cursor movements are text in every file."""

import csv
import io
import json
import re
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.cells import cell_len

from dlx.commands.report import main
from dlx.errors import RequestError
from dlx.report.text import visible
from dlx.run.predictions import write_predictions

CANARY = "<x-canary onx='1'>"
HOSTILE = {
    "markup": f'</script></title><script>alert(1)</script>"\' onx="1" x=\'`{CANARY}{{{{ 7*7 }}}}{{% raw %}}',
    "commands": r"\input{/etc/passwd}%$&#^_~{}\end{tabular}![x](y) **x** `y` | z <!-- [bold]x[/] [/b]",
    "formula": f"=cmd|'/C calc'!A0\n\r\n| b |\n{CANARY}\n---\n",
    "terminal": "\x1b[2J\x1b]0;t\x07\x9b1m\N{RIGHT-TO-LEFT OVERRIDE}\N{GRINNING FACE}\N{ZERO WIDTH JOINER}中",
    "bytes": "@caf\udce9",
}


class Canary(HTMLParser):
    """Fails if a user's text has become a tag or an attribute; collects the text that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "x-canary"
        assert "onx" not in dict(attrs)

    def handle_comment(self, data: str) -> None:
        assert "x-canary" not in data

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


@pytest.fixture(scope="module", params=HOSTILE)
def hostile(request: pytest.FixtureRequest, builder: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study whose every field that a user controls is hostile: (name, as a setting, report, terminal)."""
    name = HOSTILE[request.param]
    value = name.encode(errors="backslashreplace").decode()  # JSON of a result holds no lone surrogate
    file = name.replace("/", "\N{FRACTION SLASH}")
    study = builder(tmp_path_factory.mktemp("outputs") / file)
    for index in range(4):
        folder = study.run(
            f"{index}{file}" if index % 2 else f"{file}{index}",
            study.curve(0.5, 0.8),
            {"model.norm": value if index < 2 else "none", f"model.{value.replace('.', '')}": index < 2},
            seed=index % 2,
            data={"classes": [value, "dog"]},
            layers=[{"layer": value, "module": value, "output_shape": [value], "parameters": 5}],
            device=value,
            versions={"torch": value},
        )
        outputs, labels = np.eye(2), np.array([0, 1])
        write_predictions(folder, last=outputs, best=outputs, labels=labels, last_epoch=2, best_epoch=2)
    study.run(f"failed{file}", study.curve(0.5), {"model.norm": "x"}, status="failed", error=value)
    study.run(f"running{file}", study.curve(0.5), status=None)
    (study.run(f"torn{file}", study.curve(0.5)) / "result.json").write_text(value)
    with redirect_stdout(io.StringIO()) as printed, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        assert main([str(study.folder)]) == 0
    return name, value, study.folder / "report", printed.getvalue()


def test_the_page_shows_it_as_text(hostile: Any) -> None:
    _, value, report, _ = hostile
    parser = Canary()
    parser.feed((report / "index.html").read_text())
    assert visible(value) in "".join(parser.shown)


def test_every_svg_is_xml_without_a_tag_from_a_name(hostile: Any) -> None:
    _, _, report, _ = hostile
    for file in (report / "plots").glob("*.svg"):
        tags = {node.tag.rpartition("}")[2] for node in ElementTree.parse(file).iter()}
        assert not tags & {"script", "x-canary", "foreignObject"}


def test_no_cell_of_the_csv_is_a_formula(hostile: Any) -> None:
    _, value, report, _ = hostile
    rows = list(csv.reader(io.StringIO((report / "table.csv").read_bytes().decode(), newline="")))
    assert len({len(row) for row in rows}) == 1
    assert any(value in cell for row in rows for cell in row)
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "@", "\t", "\r", "\n", "+"))


def test_markdown_has_one_line_per_row_and_no_tag(hostile: Any) -> None:
    _, _, report, _ = hostile
    text = (report / "table.md").read_text()
    table = text.split("\n\n", maxsplit=1)[0].splitlines()
    columns = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table}
    assert len(columns) == 1
    assert len(table) == 2 + 3
    assert "<" not in text
    assert not re.search(r"(?<!\\)(?:\\\\)*(`|\*\*|!\[)", text)


def test_latex_is_ascii_with_one_line_per_row(hostile: Any) -> None:
    _, _, report, _ = hostile
    text = (report / "table.tex").read_text()
    assert "".join(line for line in text.splitlines() if not line.startswith("%")).isascii()
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    assert len(body) == 3
    assert all(line.endswith(r" \\") for line in body)
    assert not re.search(
        r"\\(input|end\{tabular\}.+|write|def|catcode)\b", text.replace("\\textbackslash{}", "")
    )


def test_json_holds_the_exact_text(hostile: Any) -> None:
    _, value, report, _ = hostile
    read = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert value in [row["values"]["model.norm"] for row in read["settings"]]
    assert value in [row["error"] for row in read["runs"]]
    assert len(read["left_out"]) == len(read["running"]) == 1


def test_a_terminal_gets_only_printable_characters(hostile: Any) -> None:
    *_, printed = hostile
    assert all(letter.isprintable() or letter == "\n" for letter in printed)
    assert "Left out: 1 run\n" in printed
    assert "Running: 1 run\n" in printed
    assert max(map(cell_len, printed.splitlines()[:-1])) <= 80


def test_a_refusal_is_one_printable_line(hostile: Any, tmp_path: Path) -> None:
    name, _, report, _ = hostile
    for given in (tmp_path / name.replace("/", ""), report.parent / f"running{name.replace('/', '')}"):
        with pytest.raises(RequestError) as caught:
            main([str(given)])
        assert str(caught.value).isprintable()
