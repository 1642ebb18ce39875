"""The report in a terminal of any width: what fits is whole, what is hidden is counted, names are text."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dlx.report.analysis import Analysis
from dlx.report.formats import Column, Table
from dlx.report.terminal import print_report, print_table
from dlx.report.text import MISSING


def shown(table: Table, width: int) -> str:
    output = io.StringIO()
    print_table(Console(file=output, width=width, highlight=False), table)
    return output.getvalue()


def report(analysis: Analysis, width: int, title: str = "study", page: Path = Path("a"), **runs: Any) -> str:
    """The whole report, with other runs left out or running."""
    output = io.StringIO()
    console = Console(file=output, width=width, highlight=False)
    print_report(console, replace(analysis, data=replace(analysis.data, **runs)), title, page)
    return output.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_hostile_settings_are_text_in_a_terminal(study: Any, width: int) -> None:
    text = report(study.hostile_norms(), width, title="[/]\n", left_out={"[red]": "[/b]"})
    assert "[/]\\n" in text
    assert "[red]: [/b]" in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize(("width", "columns"), [(60, 3), (80, 4), (130, 7), (170, 9)])
def test_a_narrow_terminal_shows_fewer_columns_unbroken(study: Any, width: int, columns: int) -> None:
    table = study.two_optimizers().table
    text = shown(table, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert f"0.6167 (0.0000{MISSING}1.0000)" in text
    assert (f"0.9500 (0.9500{MISSING}0.9500)" in text) == (columns > 4)
    assert ("seconds" in text) == (columns == 9)
    assert ("on the page" in text) == (columns < 9)


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
    assert "260 more rows and 4 more columns on the page and in table.csv" in " ".join(text.split())


def test_with_many_settings_the_metrics_stay_visible(study: Any) -> None:
    many = [Column(f"key{index}") for index in range(3000)]
    table = Table([*many, Column("val accuracy", numeric=True)], [["x"] * 3000 + ["0.9"]], [])
    text = shown(table, 120)
    assert "0.9" in text
    assert "key7" in text
    assert "2992 more columns" in text
