"""Tables as LaTeX, with nothing in them that TeX would interpret, and as Markdown."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dlx.report.formats import Column, Table, escape_latex, to_latex, to_markdown

HOSTILE = [
    "\\input{/etc/passwd}",
    "\\",
    "{",
    "}",
    "a}b{c",
    "$&#^_~%",
    "% comment",
    "^^41",
    "[2cm]",
    "*",
    "--x---y,,z",
    "''\"`?`!`<<>>",
    "\\end{tabular}",
    "größe Łódź î",
    "emoji \N{GRINNING FACE} 中文 \N{GREEK SMALL LETTER ALPHA}",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "\x1b[2J\x00\x7f",
    "a & b \\\\ c",
    "=cmd|x",
    "e\N{COMBINING ACUTE ACCENT}\N{COMBINING CEDILLA}",
]


def a_table(names: list[str]) -> Table:
    columns = [
        Column("norm"),
        Column("val accuracy", "last epoch, mean ± std", numeric=True),
        Column("seconds_%", "mean", numeric=True),
    ]
    rows = [[name, "0.9000 ± 0.0010", "-1,234.5"] for name in names]
    return Table(columns, rows, ["Best first.\n% by\r_this_"])


def test_the_table_is_a_tabular_with_the_rules_below_the_headings() -> None:
    table = a_table(["a_b"])
    table.rows.append(["", "2 of 3 diverged", "1.500e-05"])
    assert to_latex(table).splitlines() == [
        r"% Written by dlx report. In the preamble: \usepackage{booktabs}",
        "% Best first. % by _this_",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"norm & val accuracy & seconds\_\% \\",
        r" & \footnotesize last epoch & \footnotesize mean \\",
        r" & \footnotesize mean $\pm$ std &  \\",
        r"\midrule",
        r"a\_b & $0.9000 \pm 0.0010$ & $-1{,}234.5$ \\",
        r" & 2 of 3 diverged & $1.500 \times 10^{-5}$ \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"\{}", r"\textbackslash{}\{\}"),
        ("$&#%_", r"\$\&\#\%\_"),
        ("^~", r"\textasciicircum{}\textasciitilde{}"),
        ("<|>", r"\textless{}\textbar{}\textgreater{}"),
        ("[x] *", "{[}x] {*}"),
        ("---", "-{}-{}-"),
        ("\N{EN DASH}", r"\textendash{}"),
        ("adam, lr 0.1-0.2", "adam, lr 0.1-0.2"),
        ("Größe î", r"Gr\"{o}\ss{}e \^{\i}"),
        ("\N{GRINNING FACE}", r"\texttt{U+1F600}"),
    ],
)
def test_every_character_is_printed_as_itself(text: str, written: str) -> None:
    assert escape_latex(text) == written


@pytest.mark.parametrize("name", HOSTILE)
def test_latex_is_ascii_with_balanced_braces_and_runs_no_command_of_the_user(name: str) -> None:
    written = escape_latex(name)
    assert written.isascii()
    assert written.isprintable()
    commands = set(re.findall(r"\\([a-zA-Z]+)", written.replace("\\textbackslash{}", "")))
    allowed = "textasciicircum textasciitilde textless textgreater textbar texttt char textquotesingle"
    allowed += " textasciigrave textendash textemdash pm times mu circ ss ae AE o O l L i j c r u v H"
    assert commands <= set(allowed.split())
    bare = re.sub(r"\\[{}$&#%_]", "", written)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[&#%_~]|\\\\", bare)
    assert "^" not in re.sub(r"\\\^\{|\$\^\\circ\$", "", bare)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX here")
def test_it_compiles_and_shows_every_name(tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(to_latex(a_table(HOSTILE)))
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{table}\end{document}"
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert b"Missing character" not in (tmp_path / "paper.log").read_bytes()


def test_hostile_settings_are_text_in_markdown(study: Any) -> None:
    lines = to_markdown(study.hostile_norms().table).splitlines()[2:8]
    assert [line.split(" | ")[0] for line in lines] == [
        "| &lt;script>alert(1)&lt;/script>",
        r"| \[/]",
        r"| =cmd\|'/C calc'!A0",
        r"| a\\nb",
        r"| x\|y",
        r"| \\x1b\[2J",
    ]
