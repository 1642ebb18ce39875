"""The report in a terminal of any width: what fits is whole, what is hidden is counted, names are text."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dlx.report.analysis import Analysis
from dlx.report.answer import Answer
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.formats import Column, Table
from dlx.report.terminal import print_report, print_table
from dlx.report.text import MISSING


def shown(table: Table, width: int) -> str:
    output = io.StringIO()
    print_table(Console(file=output, width=width, highlight=False), table)
    return output.getvalue()


def report(
    analysis: Analysis,
    width: int,
    title: str = "study",
    page: Path = Path("a"),
    *,
    details: bool = False,
    **runs: Any,
) -> str:
    """The whole report, with other runs left out or running."""
    output = io.StringIO()
    console = Console(file=output, width=width, highlight=False)
    other = replace(analysis, data=replace(analysis.data, **runs))
    vars(other).update(
        {name: vars(analysis)[name] for name in ("answer", "diagnosis") if name in vars(analysis)}
    )
    print_report(console, other, title, page, details=details)
    return output.getvalue()


@pytest.fixture
def eight(study: Any) -> Analysis:
    """Two settings of three seeds, with eight findings and an answer in parts."""
    for name, final in (("adam", 0.5), ("sgd", 0.9)):
        for seed in range(3):
            study.run(f"{name}{seed}", study.curve(final + seed / 100), {"optimizer.name": name}, seed=seed)
    analysis: Analysis = study.analysis()
    findings = [
        Finding(f"kind {index}", "setting", "sgd", "note", f"finding {index}", {}) for index in range(8)
    ]
    groups: dict[int, Any] = {1: "best", 0: "undecided"}
    answer = Answer("the answer", "do this", "the method", groups, ["a remark"], ["a detail"])
    vars(analysis).update(answer=answer, diagnosis=Diagnosis(findings, []))
    return analysis


def test_the_answer_comes_first_and_the_rest_on_request(eight: Analysis) -> None:
    text = report(eight, 80)
    first = [
        "the answer",
        "a remark",
        "Next: do this",
        "- sgd: finding 0",
        "- sgd: finding 2",
        "0.9100",
        "the method",
    ]
    positions = [text.index(words) for words in first]
    assert positions == sorted(positions)
    behind = ["a detail", "adam is worse than sgd", "finding 3", "finding 7", "Best first, by mean"]
    assert not [words for words in behind if words in text]
    every = report(eight, 80, details=True)
    assert not [words for words in first + behind if words not in every]
    assert "--details" in text
    assert "--details" not in every


def test_a_row_says_which_group_the_answer_puts_it_in(eight: Analysis) -> None:
    rows = [line.split() for line in report(eight, 80).splitlines() if line.startswith(("sgd", "adam"))]
    assert [(row[0], "undecided" in row, "best" in row) for row in rows] == [
        ("sgd", False, True),
        ("adam", True, False),
    ]


def test_a_heading_that_is_wider_than_its_cells_is_broken(eight: Analysis) -> None:
    lines = report(eight, 60).splitlines()
    last = next(index for index, line in enumerate(lines) if line.startswith("optimizer"))
    assert lines[last].split() == ["optimizer", "runs", "mean", "(95%", "interval)", "best"]
    assert lines[last - 1].split() == ["last", "epoch", "against"]


def test_a_finding_is_indented_below_its_dash(eight: Analysis) -> None:
    long = Finding("a", "sweep", "", "note", "words " * 30, {})
    vars(eight)["diagnosis"] = Diagnosis([long], [])
    lines = report(eight, 40).splitlines()
    first = lines.index("- " + ("words " * 6).rstrip())
    assert lines[first + 1] == "  " + ("words " * 6).rstrip()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_hostile_settings_are_text_in_a_terminal(study: Any, width: int) -> None:
    text = report(study.hostile_norms(), width, title="[/]\n", left_out={"[red]": "[/b]"})
    assert "[/]\\n" in text
    assert "[red]: [/b]" in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize(("width", "columns"), [(60, 3), (80, 4), (100, 5), (130, 8)])
def test_a_narrow_terminal_shows_fewer_columns_unbroken(study: Any, width: int, columns: int) -> None:
    table = study.two_optimizers().table
    text = shown(table, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert f"0.6167 (0.0000{MISSING}1.0000)" in text
    assert ("by val_accuracy" in text) == (columns > 3)
    assert ("seconds" in text) == (columns == 8)
    assert (f"{8 - columns} more columns on the page and in table.csv" in text) == (columns < 8)


def test_the_path_of_the_page_is_never_broken(study: Any) -> None:
    page = Path("a" * 90) / "report" / "index.html"
    assert str(page) in report(study.two_optimizers(), 40, page=page).splitlines()


def test_many_runs_left_out_are_counted(study: Any) -> None:
    text = report(study.two_optimizers(), 80, left_out={f"run{n}": "why" for n in range(12)})
    assert "Left out: 12 runs" in text
    assert "and 2 more, listed on the page" in text


def test_running_runs_are_named_with_their_progress(study: Any) -> None:
    text = report(study.two_optimizers(), 80, running={"[/]a": "epoch 3 of 9", "b": "epoch 1"})
    assert "Running: 2 runs" in text
    assert "[/]a: epoch 3 of 9" in text


def test_a_long_table_is_cut_and_says_so(study: Any) -> None:
    table = study.two_optimizers().table
    long = Table(table.columns, [[f"row{index}", *table.rows[0][1:]] for index in range(300)], [])
    text = shown(long, 80)
    assert "row39" in text
    assert "row40" not in text
    assert "260 more rows and 3 more columns on the page and in table.csv" in " ".join(text.split())


def test_with_many_settings_the_metrics_stay_visible(study: Any) -> None:
    many = [Column(f"key{index}") for index in range(3000)]
    table = Table([*many, Column("val accuracy", numeric=True)], [["x"] * 3000 + ["0.9"]], [])
    text = shown(table, 120)
    assert "0.9" in text
    assert "key7" in text
    assert "2992 more columns" in text
