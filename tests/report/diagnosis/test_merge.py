"""Findings of runs are said once for a setting, and the terminal and the CSV say what they can."""

import csv
import io
import json
from typing import Any

import pytest

from dlx.report.diagnosis import words
from dlx.report.diagnosis.diagnose import diagnose


@pytest.fixture
def made(simulator: Any) -> Any:
    return simulator(0, 60, 500)


def test_what_most_runs_share_is_one_finding_of_the_setting(made: Any) -> None:
    kinds = [made.overfitting, made.overfitting, made.overfitting, made.clean]
    study, layout, summary = made.study([({"optimizer.lr": 1}, make()) for make in kinds])
    diagnosis = diagnose(study, layout, summary)
    runs = [one for one in diagnosis.findings if one.kind == "overfitting" and one.scope == "run"]
    (setting,) = (one for one in diagnosis.findings if one.kind == "overfitting" and one.scope == "setting")
    epochs = [one.numbers["epoch"] for one in runs]
    assert [one.subject for one in runs] == ["run0000", "run0001", "run0002"]
    assert setting.subject == "all runs"
    assert (setting.numbers["fired"], setting.numbers["runs"]) == (3, 4)
    assert setting.numbers["epoch_min"] == min(epochs)
    assert setting.numbers["epoch_max"] == max(epochs)
    low, high = f"{min(epochs):.0f}", f"{max(epochs):.0f}"
    assert setting.sentence.startswith(f"Overfits from epoch {low}\N{EN DASH}{high} in 3 of 4 runs:")
    assert not [one for one in words.alone(diagnosis, layout) if one.kind == "overfitting"]


def test_what_few_runs_have_stays_with_them(made: Any) -> None:
    study, layout, summary = made.study([({}, make()) for make in (made.spiked, made.clean, made.clean)])
    diagnosis = diagnose(study, layout, summary)
    assert {one.scope for one in diagnosis.findings} == {"run"}
    assert {one.subject for one in words.alone(diagnosis, layout)} == {"run0000"}


def test_runs_that_fail_each_in_a_way_of_its_own_are_one_finding(made: Any) -> None:
    makes = (made.never_learned, made.forgetful, made.diverged, made.clean)
    study, layout, summary = made.study([({}, make()) for make in makes])
    diagnosis = diagnose(study, layout, summary)
    (found,) = (one for one in diagnosis.findings if one.scope == "setting")
    assert found.sentence == (
        "Training goes wrong in 3 of 4 runs, not always in one way: 1 diverged, 1 never learned, 1 unstable."
    )
    assert words.alone(diagnosis, layout) == []


def test_the_terminal_has_at_most_eight_lines_problems_first(made: Any) -> None:
    makes = [made.never_learned, made.spiked, made.not_converged, made.diverged, made.overfitting]
    runs = [({"optimizer.lr": place}, makes[place % 5]()) for place in range(20) for _ in range(2)]
    study, layout, summary = made.study(runs)
    diagnosis = diagnose(study, layout, summary)
    lines = words.lines(diagnosis, layout, most=3)
    assert len(lines) == 3
    assert lines[0].startswith("lr 3 (and 3 more settings): Diverged at epoch")
    assert lines[-1].startswith("and ")
    every = words.lines(diagnosis, layout, most=100)
    problems = [one.sentence for one in diagnosis.findings if one.severity == "problem"]
    flags = [any(line.endswith(sentence) for sentence in problems) for line in every]
    assert flags == sorted(flags, reverse=True)


def test_the_csv_holds_all_findings_their_numbers_and_what_was_not_checked(made: Any) -> None:
    study, layout, summary = made.study([({}, made.overfitting())])
    diagnosis = diagnose(study, layout, summary)
    rows = list(csv.DictReader(io.StringIO(words.to_csv(diagnosis))))
    findings = [row for row in rows if row["severity"] != "unchecked"]
    assert [row["sentence"] for row in findings] == [one.sentence for one in diagnosis.findings]
    assert [json.loads(row["numbers"]) for row in findings] == [dict(o.numbers) for o in diagnosis.findings]
    assert [(r["kind"], r["sentence"]) for r in rows if r["severity"] == "unchecked"] == diagnosis.unchecked


def test_hostile_names_are_shown_as_text(made: Any) -> None:
    name = "=cmd|' /C calc'!A0\n\x1b[31m\u202e"
    study, layout, summary = made.study(
        [({"optimizer.name": name, "optimizer.lr": place}, made.spiked()) for place in range(3)]
        + [({"optimizer.name": "sgd", "optimizer.lr": place}, made.clean()) for place in range(3)]
    )
    diagnosis = diagnose(study, layout, summary)
    text = "".join([words.to_csv(diagnosis), *words.lines(diagnosis, layout), *map(str, diagnosis.unchecked)])
    assert not set(text) & {"\x1b", "\u202e"}
    for row in csv.reader(io.StringIO(words.to_csv(diagnosis))):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
