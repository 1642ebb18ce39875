"""The page's HTML: findings come first and problems before notes, every sentence as text."""

import re
from dataclasses import replace
from typing import Any

from dlx.report.comparison import Comparison, Comparisons
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.page.render import fill

HOSTILE = "<script>alert(1)</script>\n"


def html(study: Any, diagnosis: Diagnosis, *against_best: Comparison) -> str:
    """The page of one run, with this diagnosis and these comparisons."""
    study.run("a", study.curve(0.5))
    compared = Comparisons([*against_best], [], "val_accuracy", "last", 0.01, ["a note on seeds"])
    analysis = replace(study.analysis(), comparisons=compared)
    vars(analysis).update(diagnosis=diagnosis, headline="the answer")
    return fill(analysis, {"Curves": []}, "t", "dlx report").partition("<body>")[2]


def test_findings_stand_before_the_table_and_problems_before_notes(study: Any) -> None:
    findings = [
        Finding("edge", "sweep", "", "note", "a remark", {}),
        Finding("overfitting", "setting", f"lr 1 {HOSTILE}", "problem", "a problem", {}),
        Finding("diverged", "run", "a", "problem", "of one run", {}),
    ]
    pair = Comparison(0, 0, 5, -0.1, -0.2, -0.05, 0.06, 0.12, "undecided", 3, f"b may be worse {HOSTILE}")
    text = html(study, Diagnosis(findings, [("calibration", "no predictions")]), pair)
    order = [
        "a problem",
        "a remark",
        "of one run",
        "calibration: no predictions",
        "undecided",
        "a note on seeds",
        "<table",
    ]
    positions = [text.index(words) for words in order]
    assert positions == sorted(positions)
    assert "<strong>lr 1 &lt;script&gt;alert(1)&lt;/script&gt;\\n</strong> a problem" in text
    assert "1 about single runs" in text
    assert "b may be worse &lt;script&gt;alert(1)&lt;/script&gt;\\n" in text
    assert "<script" not in text


def test_many_findings_are_folded(study: Any) -> None:
    findings = [Finding("diverged", "setting", "a", "problem", f"problem {index}", {}) for index in range(20)]
    assert re.search(r"<summary>12 more problems</summary>", html(study, Diagnosis(findings, [])))


def test_without_comparisons_they_have_no_card(study: Any) -> None:
    assert "comparisons.csv" not in html(study, Diagnosis([], []))


def test_problems_of_single_runs_are_not_called_none(study: Any) -> None:
    of_run = Finding("diverged", "run", "a", "problem", "of one run", {})
    assert "Problems of single runs only" in html(study, Diagnosis([of_run], []))


def test_no_finding_is_no_problem(study: Any) -> None:
    assert "No problems found" in html(study, Diagnosis([], []))
