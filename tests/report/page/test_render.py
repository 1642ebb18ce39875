"""The page's HTML: findings come first and problems before remarks, every sentence as text."""

import re

from dlx.report.comparison import Comparison, Comparisons
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.listing import Listing
from dlx.report.page import Page, render
from dlx.report.tables import Column, Table

TABLE = Table([Column("norm", "", 0, numeric=False)], [["batch"]], [])
LISTING = Listing(["1 run"], TABLE, [], [], [], [], "2.10")
HOSTILE = "<script>alert(1)</script>\n"


def html(comparisons: Comparisons | None, diagnosis: Diagnosis | None) -> str:
    sections = {"Curves": []}
    given = {"comparisons": comparisons, "diagnosis": diagnosis}
    page = Page("t", "f", TABLE, 1, sections, [], LISTING, "dlx report", **given)
    return render(page).partition("<body>")[2]


def test_findings_stand_before_the_table_and_problems_before_remarks() -> None:
    findings = [
        Finding("edge", "sweep", "", "note", "a remark", {}),
        Finding("overfitting", "setting", f"lr 1 {HOSTILE}", "problem", "a problem", {}),
        Finding("diverged", "run", "a", "problem", "of one run", {}),
    ]
    pair = Comparison(1, 0, 5, -0.1, -0.2, -0.05, 0.06, 0.12, "undecided", 3, f"b may be worse {HOSTILE}")
    text = html(
        Comparisons([pair], [], "val_accuracy", "last", 0.01, ["a note on seeds"]),
        Diagnosis(findings, [("calibration", "no predictions")]),
    )
    order = [
        "a problem",
        "a remark",
        "of one run",
        "calibration: no predictions",
        "undecided",
        "a note on seeds",
        "<table",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "<strong>lr 1 &lt;script&gt;alert(1)&lt;/script&gt;\\n</strong> a problem" in text
    assert "1 of single runs" in text
    assert "b may be worse &lt;script&gt;alert(1)&lt;/script&gt;\\n" in text
    assert "<script" not in text


def test_many_findings_are_folded() -> None:
    findings = [Finding("diverged", "setting", "a", "problem", f"problem {place}", {}) for place in range(20)]
    text = html(None, Diagnosis(findings, []))
    assert re.search(r"<summary>12 more problems</summary>", text)


def test_without_comparisons_and_diagnosis_there_is_no_such_section() -> None:
    assert 'id="findings"' not in html(None, None)


def test_findings_of_single_runs_alone_are_not_called_nothing() -> None:
    of_run = Finding("diverged", "run", "a", "problem", "of one run", {})
    assert "No setting went wrong, single runs did" in html(None, Diagnosis([of_run], []))
    assert "Nothing that was checked went wrong" in html(None, Diagnosis([], []))
