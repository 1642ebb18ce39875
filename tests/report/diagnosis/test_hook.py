"""`dlx report` writes the diagnosis: in the terminal, on the page, and as diagnosis.csv."""

import csv
from pathlib import Path
from typing import Any

import pytest

from dlx.commands.report import main


def overfitting(seed: int) -> list[tuple[float | None, float | None, float | None, float | None]]:
    """Return thirty epochs whose validation loss turns up at epoch 10."""
    rows: list[Any] = [(None, None, 2.3, 0.1)]
    for epoch in range(1, 31):
        wobble = 0.004 * ((epoch * 7 + seed * 3) % 5 - 2)
        up = 0.03 * max(0, epoch - 10)
        rows.append((2.3 * 0.8**epoch, 0.9, 0.5 + 1.8 * 0.5**epoch + up + wobble, 0.8))
    return rows


def test_the_report_says_what_went_wrong(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        study.run(f"b{seed}", overfitting(seed), {"optimizer.lr": 0.1}, seed=seed)
    study.run("<i>lost</i>", study.curve(0.5, 0.6), {"optimizer.lr": 9}, status="diverged")
    assert main([str(study.folder)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "- lr 0.1: Overfits from epoch 10" in printed
    assert "- lr 9: Diverged at epoch 3" in printed
    report: Path = study.folder / "report"
    rows = list(csv.DictReader((report / "diagnosis.csv").read_text().splitlines()))
    assert ("diverged", "run", "<i>lost</i>") in {(row["kind"], row["scope"], row["subject"]) for row in rows}
    page = (report / "index.html").read_text()
    assert "Overfits from epoch 10" in page
    assert "&lt;i&gt;lost&lt;/i&gt;" in page
    assert "<i>lost</i>" not in page
    assert "dead units: no layers.csv" in page
