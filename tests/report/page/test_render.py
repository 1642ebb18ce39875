"""The page's HTML: findings come first, problems before notes, every sentence as text; and its script."""

import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

from dlx.report.comparison import Comparison, Comparisons
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.page.assets import SCRIPTS, policy, script
from dlx.report.page.render import fill

HOSTILE = "<script>alert(1)</script>\n"


def html(study: Any, diagnosis: Diagnosis, *against_best: Comparison) -> str:
    """The page of one run, with this diagnosis and these comparisons."""
    study.run("a", study.curve(0.5))
    compared = Comparisons([*against_best], [], "val_accuracy", 0.01, ["a note on seeds"])
    analysis = replace(study.analysis(), comparisons=compared)
    vars(analysis).update(diagnosis=diagnosis, headline="the answer")
    return fill(analysis, {"Curves": []}, "t", "dlx report").partition("<body>")[2]


def test_findings_come_before_the_table_and_problems_before_notes(study: Any) -> None:
    findings = [
        Finding("edge", "sweep", "", "note", "a remark", {}),
        Finding("overfitting", "setting", "lr 2", "trade-off", "this for that", {}),
        Finding("overfitting", "setting", f"lr 1 {HOSTILE}", "problem", "a problem", {}),
        Finding("diverged", "run", "a", "problem", "of one run", {}),
    ]
    pair = Comparison(0, 0, 5, -0.1, -0.2, -0.05, 0.06, 0.12, "undecided", 3, f"b may be worse {HOSTILE}")
    text = html(study, Diagnosis(findings, [("calibration", "no predictions")]), pair)
    order = [
        "a problem",
        "this for that",
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
    assert "1 single-run finding<" in text
    assert "b may be worse &lt;script&gt;alert(1)&lt;/script&gt;\\n" in text
    assert "<script" not in text


def test_many_findings_are_folded(study: Any) -> None:
    findings = [Finding("diverged", "setting", "a", "problem", f"problem {index}", {}) for index in range(20)]
    assert re.search(r"<summary>12 more problems</summary>", html(study, Diagnosis(findings, [])))


def test_without_comparisons_they_have_no_card(study: Any) -> None:
    assert "comparisons.csv" not in html(study, Diagnosis([], []))


def test_problems_of_single_runs_alone_are_named_as_such(study: Any) -> None:
    of_run = Finding("diverged", "run", "a", "problem", "of one run", {})
    assert "Problems of single runs only" in html(study, Diagnosis([of_run], []))


def test_without_findings_there_are_no_problems(study: Any) -> None:
    assert "No problems found" in html(study, Diagnosis([], []))


def test_every_file_is_part_of_the_script() -> None:
    names = [file.name for file in files("dlx.report.page").iterdir()]
    assert {each for each in names if each.endswith(".js")} == {f"{name}.js" for name in SCRIPTS}


def test_the_script_cannot_end_its_element() -> None:
    text = script("")
    assert "</script" not in text
    assert "<!--" not in text
    assert "\r" not in text  # a browser would change it, and the hash with it


def test_a_page_without_a_script_allows_no_script() -> None:
    assert "script-src" not in policy()
    assert policy("a") != policy("b")
