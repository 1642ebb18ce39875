"""The page's HTML: the answer comes first, the rest folds, every sentence is text; and its script."""

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from dlx.report.answer import Answer
from dlx.report.charts import Chart
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.page import render
from dlx.report.page.assets import SCRIPTS, policy, script
from dlx.report.page.render import fill
from dlx.report.plots.style import SCHEMA

HOSTILE = "<script>alert(1)</script>\n"


def html(study: Any, diagnosis: Diagnosis, settings: int = 1) -> str:
    """The page of some settings of three runs, with this diagnosis."""
    for index in range(settings):
        for seed in range(3):
            end = 0.5 - (index + seed) / 100
            name = f"{index} {HOSTILE}"
            study.run(f"r{index}-{seed}", study.curve(end), {"model.norm": name}, seed=seed)
    analysis = replace(study.analysis())
    answer = Answer("the answer", "the next step", "the method", {}, ["a remark"], ["a detail"])
    vars(analysis).update(diagnosis=diagnosis, answer=answer)
    return fill(analysis, None, {"Curves": []}, "t", "dlx report").partition("<body>")[2]


def test_the_answer_comes_first_and_what_is_behind_it_folds(study: Any) -> None:
    findings = [
        Finding("edge", "sweep", "", "note", "a note", {}),
        Finding("gap", "setting", "lr 2", "trade-off", "this for that", {}),
        Finding("overfitting", "setting", f"lr 1 {HOSTILE}", "problem", "a problem", {}),
        Finding("diverged", "run", "a", "problem", "of one run", {}),
    ]
    text = html(study, Diagnosis(findings, [("calibration", "no predictions")]), 2)
    order = ["the answer", "a remark", "the next step", "the method", "a problem", "a note", "<table"]
    positions = [text.index(words) for words in order]
    assert positions == sorted(positions)
    folded = text[text.index("<details") :]
    behind = [
        "a detail",
        "Compared with the best",
        "a problem",
        "this for that",
        "a note",
        "of one run",
        "no predictions",
    ]
    positions = [folded.index(words) for words in behind]
    assert positions == sorted(positions)
    assert "of one run" not in text[: text.index("<details")]
    assert "<strong>lr 1 &lt;script&gt;alert(1)&lt;/script&gt;\\n</strong> a problem" in text
    assert "norm 1 &lt;script&gt;alert(1)&lt;/script&gt;\\n is" in text
    assert "1 single-run finding<" in text
    assert "<script" not in text


def test_the_first_screen_has_three_findings_at_most(study: Any) -> None:
    findings = [
        Finding(f"kind {index}", "setting", "a", "problem", f"problem {index}", {}) for index in range(20)
    ]
    text = html(study, Diagnosis(findings, []))
    first = text[: text.index("<table")]
    assert [index for index in range(20) if f"problem {index}<" in first] == [0, 1, 2]
    assert 'href="#findings">All 20 findings</a>' in first
    assert re.search(r"<summary>12 more problems</summary>", text)


def test_without_pairs_there_is_nothing_to_compare(study: Any) -> None:
    assert "comparisons.csv" not in html(study, Diagnosis([], []))


def test_without_findings_there_are_no_problems(study: Any) -> None:
    text = html(study, Diagnosis([], []))
    assert "No problems found" in text
    assert 'id="important"' not in text


def test_the_picture_of_the_answer_is_not_drawn_again(study: Any, tmp_path: Path, monkeypatch: Any) -> None:
    study.run("a", study.curve(0.5))
    spec = {"$schema": SCHEMA, "data": {"values": [{}]}, "mark": "point"}
    both = [Chart("one", "One", "", spec), Chart("two", "Two", "", spec)]

    def sections(_: Any, begin: Any) -> dict[str, list[Chart]]:
        begin(both[1])
        return {"Curves": both, "Effects": [both[0]]}

    monkeypatch.setattr(render, "gallery", sections)
    monkeypatch.setattr(render, "answer_chart", lambda _: both[0])
    text, files = render.render_page(study.analysis(), tmp_path, "t", "dlx report")
    assert {"plots/one.png", "plots/two.pdf"} < files.keys()
    assert text.count("plots/one.png") == text.count("plots/two.png") == 1
    assert "<h2>Effects</h2>" not in text


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
