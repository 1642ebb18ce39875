"""The tables of settings, comparisons and layers, as text and as CSV."""

import csv
import io
import math
from dataclasses import replace
from typing import Any

import pytest

from dlx.report.analysis import Analysis
from dlx.report.comparison_text import sentence
from dlx.report.tables import comparisons_csv, comparisons_table, layer_tables, settings_csv
from dlx.report.text import MISSING
from tests.report.conftest import HOSTILE_NAMES


def test_headings_name_the_rule_and_cells_the_count(study: Any) -> None:
    table = study.two_optimizers().table
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
    assert table.rows[0][2:5] == [
        f"0.6167 (0.0000{MISSING}1.0000)",
        "0.9500",
        "1",
    ]


def test_columns_without_a_value_are_left_out(study: Any) -> None:
    study.run("a", [(None, None, 1.0, None), (0.5, None, 0.5, None)])
    assert [column.heading for column in study.analysis().table.columns] == [
        "setting",
        "runs",
        "val loss",
        "val loss",
        "best epoch",
        "train loss",
        "seconds",
    ]


def test_the_csv_is_exact(study: Any) -> None:
    analysis = study.two_optimizers()
    rows = list(csv.DictReader(io.StringIO(settings_csv(analysis))))
    assert [row["optimizer.name"] for row in rows] == ["adam", "sgd"]
    for row, (_, expected) in zip(rows, analysis.summary.table.iterrows(), strict=True):
        assert float(row["val_accuracy_last_mean"]) == expected["val_accuracy_last_mean"]
        assert float(row["val_loss_best_std"]) == expected["val_loss_best_std"]
        assert int(row["diverged"]) == expected["diverged"]


def test_missing_is_empty_in_the_csv(study: Any) -> None:
    study.run("a", study.curve(0.5), {"optimizer.momentum": None})
    study.run("b", study.curve(0.6), {"optimizer.momentum": 0.9})
    rows = list(csv.DictReader(io.StringIO(settings_csv(study.analysis()))))
    assert [row["optimizer.momentum"] for row in rows] == ["0.9", ""]
    assert rows[0]["val_accuracy_last_std"] == ""


def test_hostile_settings_are_text_in_the_csv(study: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(settings_csv(study.hostile_norms()))))
    assert [row["model.norm"] for row in rows] == [
        f"'{name}" if name.startswith("=") else name for name in HOSTILE_NAMES
    ]


def test_a_single_run_is_a_table_of_one_row(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9))
    analysis = study.analysis()
    assert analysis.table.rows[0][:4] == ["all runs", "1", "0.9000", "0.9000"]
    assert math.isnan(analysis.summary.table["val_accuracy_last_std"].iloc[0])


FINALS = {
    "=cmd|x": [0.4 + seed / 99 for seed in range(8)],
    "b": [0.8 + seed / 40 for seed in range(8)],
    "c": [0.79 + seed / 40 + (-1) ** seed / 30 for seed in range(8)],
}


@pytest.fixture
def compared(study: Any) -> Analysis:
    for norm, finals in FINALS.items():
        for seed, final in enumerate(finals):
            study.run(f"{norm[-1]}{seed}", study.curve(final), {"model.norm": norm}, seed=seed)
    study.run("d0", study.curve(0.1), {"model.norm": "d"}, seed=0)
    analysis: Analysis = study.analysis(baseline="norm =cmd|x")
    return analysis


def test_each_row_compares_with_the_best_or_the_baseline(compared: Analysis) -> None:
    table = comparisons_table(compared)
    assert [(row[0], row[1]) for row in table.rows] == [
        ("norm c", "norm b"),
        ("norm =cmd|x", "norm b"),
        ("norm d", "norm b"),
        ("norm b", "norm =cmd|x"),
        ("norm c", "norm =cmd|x"),
        ("norm d", "norm =cmd|x"),
    ]
    assert table.columns[3].heading == "difference in val accuracy"
    worse = compared.comparisons.against_best[1]
    assert max(worse.p, worse.p_holm) < 0.001
    assert table.rows[1][5:] == ["< 0.001", "< 0.001", "worse"]
    assert table.rows[2][2:] == ["1", "-0.7000", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}"]


def test_the_csv_is_exact_and_holds_no_formula(compared: Analysis) -> None:
    comparisons = compared.comparisons
    rows = list(csv.DictReader(io.StringIO(comparisons_csv(compared))))
    assert [row["reference_is"] for row in rows] == ["best"] * 3 + ["baseline"] * 3
    for row, each in zip(rows, [*comparisons.against_best, *comparisons.against_baseline], strict=True):
        assert float(row["difference"]) == each.difference
        assert row["p_holm"] == ("" if each.p_holm != each.p_holm else str(each.p_holm))
        words = sentence(each, compared.design.labels, comparisons)
        assert (row["verdict"], row["sentence"]) == (each.verdict, words)
        assert (row["metric"], row["rule"], row["margin"]) == ("val_accuracy", "last", "")
    assert not any(cell.startswith("=") for row in rows for cell in row.values())


def test_the_results_have_a_column_for_the_best_and_one_for_the_baseline(compared: Analysis) -> None:
    table = compared.table
    headings = [column.heading for column in table.columns]
    assert headings[2:5] == ["val accuracy", "against best", "against baseline"]
    best, baseline = (headings.index(f"against {name}") for name in ("best", "baseline"))
    assert [row[best] for row in table.rows][::2] == ["best", "worse"]
    assert [row[baseline] for row in table.rows][::2] == ["better", "baseline"]
    assert table.rows[3][best] == "\N{EN DASH}"
    assert table.rows[1][best] == "undecided"
    alone = replace(compared, comparisons=replace(compared.comparisons, against_best=[]))
    assert "against best" not in [column.heading for column in alone.table.columns]


def layers_of(width: int) -> list[dict[str, Any]]:
    return [
        {"layer": "flatten", "module": "Flatten", "output_shape": [784], "parameters": 0},
        {"layer": "linear1", "module": "Linear", "output_shape": [width], "parameters": 785 * width},
    ]


def test_layers_of_each_architecture_and_a_total(study: Any) -> None:
    for index, width in enumerate((16, 16, 128)):
        changes = {"model.width": width, "optimizer.lr": 0.1 + index}
        study.run(f"r{index}", study.curve(0.5 + index / 10), changes, layers=layers_of(width))
    (first, best), (second, other) = layer_tables(study.analysis())
    assert first == "width 128, lr 2.1"
    assert second == "width 16, lr 1.1 and 1 more setting"
    assert best.rows == [
        ["flatten", "Flatten", "784", "0"],
        ["linear1", "Linear", "128", "100,480"],
        ["total", "", "", "100,480"],
    ]
    assert other.rows[-1][-1] == "12,560"


@pytest.mark.parametrize("layers", [[], [{"layer": "a"}], [{"layer": "a", "parameters": "many"}]])
def test_results_without_a_list_of_layers_have_no_table(study: Any, layers: Any) -> None:
    study.run("a", study.curve(0.5), layers=layers)
    assert layer_tables(study.analysis()) == []
