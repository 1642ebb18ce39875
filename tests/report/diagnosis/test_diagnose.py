"""From checks to a diagnosis: findings of settings, the terminal's lines, diagnosis.csv, and the report."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from dlx.commands import report
from dlx.report.diagnosis import diagnose as module
from dlx.report.diagnosis.check import Check, Detections
from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import SEVERITIES, diagnosis_csv, single_runs, terminal_lines


@pytest.fixture
def made(simulator: Any) -> Any:
    return simulator(0, 60, 500)


def test_a_finding_of_most_runs_is_a_finding_of_their_setting(made: Any) -> None:
    kinds = [made.overfitting, made.overfitting, made.overfitting, made.clean]
    analysis = made.study([({"optimizer.lr": 1}, make()) for make in kinds])
    diagnosis = diagnose(analysis)
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
    assert not [one for one in single_runs(diagnosis, analysis.design) if one.kind == "overfitting"]


def test_a_finding_of_few_runs_is_not_a_finding_of_their_setting(made: Any) -> None:
    analysis = made.study([({}, make()) for make in (made.spiked, made.clean, made.clean)])
    diagnosis = diagnose(analysis)
    assert {one.scope for one in diagnosis.findings} == {"run"}
    assert {one.subject for one in single_runs(diagnosis, analysis.design)} == {"run0000"}


def test_a_setting_whose_runs_fail_in_different_ways_has_one_finding(made: Any) -> None:
    makes = (made.never_learned, made.forgetful, made.diverged, made.clean)
    analysis = made.study([({}, make()) for make in makes])
    diagnosis = diagnose(analysis)
    (found,) = (one for one in diagnosis.findings if one.scope == "setting")
    assert found.sentence == (
        "Training failed in 3 of 4 runs, in different ways: 1 diverged, 1 never learned, 1 unstable."
    )
    assert single_runs(diagnosis, analysis.design) == []


def test_terminal_lines_are_limited_and_put_problems_first(made: Any) -> None:
    makes = [made.never_learned, made.spiked, made.not_converged, made.diverged, made.overfitting]
    runs = [({"optimizer.lr": rate}, makes[rate % 5]()) for rate in range(20) for _ in range(2)]
    analysis = made.study(runs)
    diagnosis = diagnose(analysis)
    lines = terminal_lines(diagnosis, analysis.design, most=3)
    assert len(lines) == 3
    assert lines[0].startswith("lr 3 (and 3 more settings): Diverged at epoch")
    assert lines[-1].startswith("and ")
    every = terminal_lines(diagnosis, analysis.design, most=100)
    ranks = {one.sentence: SEVERITIES.index(one.severity) for one in reversed(diagnosis.findings)}
    shown = [ranks[next(sentence for sentence in ranks if line.endswith(sentence))] for line in every]
    assert shown == sorted(shown)


def test_the_csv_has_all_findings_with_their_numbers_and_the_skipped_checks(made: Any) -> None:
    analysis = made.study([({}, made.overfitting())])
    diagnosis = diagnose(analysis)
    rows = list(csv.DictReader(io.StringIO(diagnosis_csv(diagnosis))))
    findings = [row for row in rows if row["severity"] != "unchecked"]
    assert [row["sentence"] for row in findings] == [one.sentence for one in diagnosis.findings]
    assert [json.loads(row["numbers"]) for row in findings] == [dict(o.numbers) for o in diagnosis.findings]
    assert [(r["kind"], r["sentence"]) for r in rows if r["severity"] == "unchecked"] == diagnosis.unchecked


def test_hostile_names_are_escaped(made: Any) -> None:
    name = "=cmd|' /C calc'!A0\n\x1b[31m\u202e"
    analysis = made.study(
        [({"optimizer.name": name, "optimizer.lr": rate}, made.spiked()) for rate in range(3)]
        + [({"optimizer.name": "sgd", "optimizer.lr": rate}, made.clean()) for rate in range(3)]
    )
    diagnosis = diagnose(analysis)
    text = "".join(
        [
            diagnosis_csv(diagnosis),
            *terminal_lines(diagnosis, analysis.design),
            *map(str, diagnosis.unchecked),
        ]
    )
    assert not set(text) & {"\x1b", "\u202e"}
    for row in csv.reader(io.StringIO(diagnosis_csv(diagnosis))):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


def test_a_new_check_takes_one_module_and_one_line(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tired = Check(
        "tired",
        lambda evidence: Detections({run: {"yawns": 2.0} for run in evidence.completed}),
        lambda runs: f"Yawns {runs['yawns']:.0f} times{runs.where}.",
    )
    monkeypatch.setattr(module, "RUN_CHECKS", (*module.RUN_CHECKS, tired))
    findings = diagnose(made.study([({}, made.clean()) for _ in range(2)])).findings
    assert [(one.scope, one.severity, one.sentence) for one in findings] == [
        ("setting", "note", "Yawns 2 times in 2 of 2 runs."),
        ("run", "note", "Yawns 2 times."),
        ("run", "note", "Yawns 2 times."),
    ]


def overfitting(seed: int) -> list[tuple[float | None, float | None, float | None, float | None]]:
    """Return thirty epochs in which validation loss rises after epoch 10."""
    rows: list[Any] = [(None, None, 2.3, 0.1)]
    for epoch in range(1, 31):
        wobble = 0.004 * ((epoch * 7 + seed * 3) % 5 - 2)
        up = 0.03 * max(0, epoch - 10)
        rows.append((2.3 * 0.8**epoch, 0.9, 0.5 + 1.8 * 0.5**epoch + up + wobble, 0.8))
    return rows


@pytest.mark.slow
def test_the_report_shows_the_diagnosis(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        study.run(f"b{seed}", overfitting(seed), {"optimizer.lr": 0.1}, seed=seed)
    study.run("<i>lost</i>", study.curve(0.5, 0.6), {"optimizer.lr": 9}, status="diverged")
    assert report.main([str(study.folder)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "- lr 0.1: Overfits from epoch 10" in printed
    assert "- lr 9: Diverged at epoch 3" in printed
    folder: Path = study.folder / "report"
    rows = list(csv.DictReader((folder / "diagnosis.csv").read_text().splitlines()))
    assert ("diverged", "run", "<i>lost</i>") in {(row["kind"], row["scope"], row["subject"]) for row in rows}
    page = (folder / "index.html").read_text()
    assert "Overfits from epoch 10" in page
    assert "&lt;i&gt;lost&lt;/i&gt;" in page
    assert "<i>lost</i>" not in page
    assert "dead units: no layers.csv" in page
