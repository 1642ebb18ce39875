"""The table as text, as Markdown, as CSV and in a terminal of any width."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dlx.report.aggregate import Summary, aggregate
from dlx.report.load import load
from dlx.report.settings import Design, find_design
from dlx.report.tables import Column, Table, tabulate, to_csv, to_markdown
from dlx.report.terminal import show
from dlx.report.text import MISSING


def summarise(study: Any) -> tuple[Summary, Design]:
    loaded = load([study.folder])
    layout = find_design(loaded.settings)
    return aggregate(loaded, layout), layout


def a_comparison(study: Any) -> tuple[Summary, Design]:
    for name in ("adam", "sgd"):
        for seed, final in enumerate((0.9, 1 / 3)):
            study.run(f"{name}{seed}", study.curve(0.95, final), {"optimizer.name": name}, seed=seed)
    study.run("sgd2", study.curve(0.1), {"optimizer.name": "sgd"}, seed=2, status="diverged")
    return summarise(study)


def shown(table: Table, width: int, **options: Any) -> str:
    output = io.StringIO()
    console = Console(file=output, width=width, highlight=False)
    arguments = {"title": "study", "finding": "finding", "left_out": {}, "page": Path("report/index.html")}
    show(console, table=table, **(arguments | options))
    return output.getvalue()


def test_headings_name_the_rule_and_cells_the_count(study: Any) -> None:
    table = tabulate(*a_comparison(study))
    headings = [(column.heading, column.rule) for column in table.columns]
    assert headings == [
        ("optimizer", ""),
        ("runs", ""),
        ("val accuracy", "last epoch, mean (95% interval)"),
        ("val accuracy", "best epoch, by val_accuracy, mean (95% interval)"),
        ("best epoch", "by val_accuracy"),
        ("train accuracy", "last epoch, mean"),
        ("val loss", "last epoch, mean"),
        ("seconds", "mean"),
    ]
    assert [row[1] for row in table.rows] == ["2", "1 of 3 diverged"]
    assert table.rows[0][2:5] == [f"0.6167 (0.0000{MISSING}1.0000)", f"0.9500 (0.9500{MISSING}0.9500)", "1"]


def test_columns_without_a_value_are_left_out(study: Any) -> None:
    study.run("a", [(None, None, 1.0, None), (0.5, None, 0.5, None)])
    assert [column.heading for column in tabulate(*summarise(study)).columns] == [
        "setting",
        "runs",
        "val loss",
        "val loss",
        "best epoch",
        "train loss",
        "seconds",
    ]


def test_the_csv_is_exact(study: Any) -> None:
    summary, _ = a_comparison(study)
    rows = list(csv.DictReader(io.StringIO(to_csv(summary))))
    assert [row["optimizer.name"] for row in rows] == ["adam", "sgd"]
    for row, (_, expected) in zip(rows, summary.table.iterrows(), strict=True):
        assert float(row["val_accuracy_last_mean"]) == expected["val_accuracy_last_mean"]
        assert float(row["val_loss_best_std"]) == expected["val_loss_best_std"]
        assert int(row["diverged"]) == expected["diverged"]


def test_missing_is_empty_in_the_csv(study: Any) -> None:
    study.run("a", study.curve(0.5), {"optimizer.momentum": None})
    study.run("b", study.curve(0.6), {"optimizer.momentum": 0.9})
    rows = list(csv.DictReader(io.StringIO(to_csv(summarise(study)[0]))))
    assert [row["optimizer.momentum"] for row in rows] == ["0.9", ""]
    assert rows[0]["val_accuracy_last_std"] == ""


HOSTILE = ["<script>alert(1)</script>", "[/]", "=cmd|'/C calc'!A0", "a\nb", "x|y", "\x1b[2J"]


def hostile(study: Any) -> tuple[Summary, Design]:
    for place, name in enumerate(HOSTILE):
        study.run(f"run{place}", study.curve(0.9 - place / 100), {"model.norm": name})
    return summarise(study)


def test_hostile_settings_are_text_in_the_csv(study: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(hostile(study)[0]))))
    assert [row["model.norm"] for row in rows] == [
        f"'{name}" if name.startswith("=") else name for name in HOSTILE
    ]


def test_hostile_settings_are_text_in_markdown(study: Any) -> None:
    lines = to_markdown(tabulate(*hostile(study))).splitlines()[2:8]
    assert [line.split(" | ")[0] for line in lines] == [
        "| &lt;script>alert(1)&lt;/script>",
        r"| \[/]",
        r"| =cmd\|'/C calc'!A0",
        r"| a\\nb",
        r"| x\|y",
        r"| \\x1b\[2J",
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_hostile_settings_are_text_in_a_terminal(study: Any, width: int) -> None:
    text = shown(tabulate(*hostile(study)), width, title="[/]\n", left_out={"[red]": "[/b]"})
    assert "[/]\\n" in text
    assert "[red]: [/b]" in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize(("width", "columns"), [(60, 3), (80, 4), (130, 8)])
def test_a_narrow_terminal_shows_fewer_columns_unbroken(study: Any, width: int, columns: int) -> None:
    table = tabulate(*a_comparison(study))
    text = shown(table, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert f"0.6167 (0.0000{MISSING}1.0000)" in text
    assert (f"0.9500 (0.9500{MISSING}0.9500)" in text) == (columns > 3)
    assert ("seconds" in text) == (columns == 8)
    assert ("more on the page" in text) == (columns < 8)


def test_the_path_of_the_page_is_never_broken(study: Any) -> None:
    page = Path("a" * 90) / "report" / "index.html"
    assert str(page) in shown(tabulate(*a_comparison(study)), 40, page=page).splitlines()


def test_many_runs_left_out_are_counted(study: Any) -> None:
    text = shown(tabulate(*a_comparison(study)), 80, left_out={f"run{n}": "why" for n in range(12)})
    assert "Left out: 12 runs" in text
    assert "and 2 more, named on the page" in text


def test_running_runs_are_named_with_their_progress(study: Any) -> None:
    text = shown(tabulate(*a_comparison(study)), 80, running={"[/]a": "epoch 3 of 9", "b": "epoch 1"})
    assert "Running: 2 runs" in text
    assert "[/]a: epoch 3 of 9" in text


def test_a_long_table_is_cut_and_says_so(study: Any) -> None:
    table = tabulate(*a_comparison(study))
    long = Table(table.columns, [[f"row{place}", *table.rows[0][1:]] for place in range(300)], [])
    text = shown(long, 80)
    assert "row39" in text
    assert "row40" not in text
    assert "260 rows more and 3 columns more on the page and in table.csv" in " ".join(text.split())


def test_of_many_settings_the_numbers_stay(study: Any) -> None:
    many = [Column(f"key{place}", "", 0, numeric=False) for place in range(3000)]
    table = Table([*many, Column("val accuracy", "", 0, numeric=True)], [["x"] * 3000 + ["0.9"]], [])
    text = shown(table, 120)
    assert "0.9" in text
    assert "key7" in text
    assert "2992 columns more" in text


def test_a_single_run_is_a_table_of_one_row(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9))
    summary, layout = summarise(study)
    assert tabulate(summary, layout).rows[0][:4] == ["all runs", "1", "0.9000", "0.9000"]
    assert math.isnan(summary.table["val_accuracy_last_std"].iloc[0])
