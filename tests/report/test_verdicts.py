"""The comparisons as a table, as CSV and as columns of the results."""

import csv
import io
from typing import Any

import pytest

from dlx.report.aggregate import Summary, aggregate
from dlx.report.comparison import Comparisons, compare
from dlx.report.load import load
from dlx.report.settings import Design, find_design
from dlx.report.tables import tabulate
from dlx.report.verdicts import comparisons_csv, list_comparisons

FINALS = {
    "=cmd|x": [0.5 + seed / 99 for seed in range(8)],
    "b": [0.9 + seed / 40 for seed in range(8)],
    "c": [0.89 + seed / 40 + (-1) ** seed / 30 for seed in range(8)],
}


@pytest.fixture
def compared(study: Any) -> tuple[Comparisons, Design, Summary]:
    for norm, finals in FINALS.items():
        for seed, final in enumerate(finals):
            study.run(f"{norm[-1]}{seed}", study.curve(final), {"model.norm": norm}, seed=seed)
    study.run("d0", study.curve(0.1), {"model.norm": "d"}, seed=0)
    loaded = load([study.folder])
    layout = find_design(loaded.settings)
    summary = aggregate(loaded, layout)
    return compare(loaded, layout, summary, baseline=layout.labels.index("norm =cmd|x")), layout, summary


def test_a_row_is_a_comparison_with_the_best_or_the_baseline(compared: Any) -> None:
    comparisons, layout, _ = compared
    table = list_comparisons(comparisons, layout)
    assert [(row[0], row[1]) for row in table.rows] == [
        ("norm c", "norm b"),
        ("norm =cmd|x", "norm b"),
        ("norm d", "norm b"),
        ("norm b", "norm =cmd|x"),
        ("norm c", "norm =cmd|x"),
        ("norm d", "norm =cmd|x"),
    ]
    assert table.columns[3].heading == "difference in val accuracy"
    assert table.rows[1][5:] == ["0.0078", "0.023", "worse"]
    assert table.rows[2][2:] == ["1", "-0.8000", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}"]


def test_the_csv_is_exact_and_no_formula(compared: Any) -> None:
    comparisons, layout, _ = compared
    rows = list(csv.DictReader(io.StringIO(comparisons_csv(comparisons, layout))))
    assert [row["reference_is"] for row in rows] == ["best"] * 3 + ["baseline"] * 3
    for row, each in zip(rows, [*comparisons.against_best, *comparisons.against_baseline], strict=True):
        assert float(row["difference"]) == each.difference
        assert row["p_holm"] == ("" if each.p_holm != each.p_holm else str(each.p_holm))
        assert row["further_seeds"] == ("" if each.further_seeds is None else str(each.further_seeds))
        assert (row["verdict"], row["sentence"]) == (each.verdict, each.sentence)
        assert (row["metric"], row["rule"], row["margin"]) == ("val_accuracy", "last", "0.01")
    assert not any(cell.startswith("=") for row in rows for cell in row.values())


def test_the_results_have_a_column_for_the_best_and_one_for_the_baseline(compared: Any) -> None:
    comparisons, layout, summary = compared
    table = tabulate(summary, layout, comparisons)
    headings = [column.heading for column in table.columns]
    assert headings[2:5] == ["val accuracy", "against best", "against baseline"]
    best, baseline = (headings.index(f"against {name}") for name in ("best", "baseline"))
    assert [row[best] for row in table.rows][::2] == ["best", "worse"]
    assert [row[baseline] for row in table.rows][::2] == ["better", "baseline"]
    assert table.rows[3][best] == "\N{EN DASH}"
    assert table.rows[1][best].startswith("undecided, +")
    assert "against best" not in [column.heading for column in tabulate(summary, layout).columns]
