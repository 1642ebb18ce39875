"""Every run is either in the frames or left out by name with its reason, and none counts twice."""

import math
import os
import shutil
from pathlib import Path
from typing import Any

from dlx.report.load import load
from dlx.report.reader import Reader


def test_rows_hold_the_last_and_the_best_epoch(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9, 0.8), seed=3)
    loaded = load([study.folder])
    row = loaded.runs.loc["a"]
    assert (row["last_epoch"], row["val_accuracy_last"]) == (3, 0.8)
    assert (row["best_epoch"], row["val_accuracy_best"]) == (2, 0.9)
    assert (row["seed"], row["status"], row["torch"]) == (3, "completed", "2.10")
    assert loaded.settings["a"]["optimizer.lr"] == 0.001
    assert loaded.histories["val_accuracy"].tolist() == [0.1, 0.5, 0.9, 0.8]
    assert loaded.histories.columns[:2].tolist() == ["run", "epoch"]


def test_what_has_not_ended_or_cannot_be_read_is_left_out_with_its_reason(study: Any) -> None:
    study.run("good", study.curve(0.5))
    study.run("running", study.curve(0.5), status=None)
    dead = study.run("dead", study.curve(0.5), status=None) / "history.csv"
    os.utime(dead, (1000, 1000))
    (study.run("waiting", study.curve(0.5), status=None) / "history.csv").unlink()
    (study.run("torn", study.curve(0.5), status=None) / "history.csv").write_text("epo")
    cut = study.run("cut", study.curve(0.5), seed=1) / "history.csv"
    cut.write_text(cut.read_text()[:-2])
    (study.run("gone", study.curve(0.5), seed=2) / "history.csv").unlink()
    (study.run("odd", study.curve(0.5), seed=3) / "result.json").write_text("{}")
    study.run("empty", study.curve(0.5), config={})
    loaded = load([study.folder], Reader(clock=lambda: dead.stat().st_mtime + 3000))
    assert loaded.runs.index.tolist() == ["good"]
    assert loaded.running == {"running": "epoch 1, val accuracy 0.5000"}
    assert loaded.left_out == {
        "dead": "no result.json: interrupted at epoch 1, val accuracy 0.5000, or silent for 3,000 s",
        "waiting": "no result.json and no history.csv: not started, or interrupted",
        "torn": "history.csv: no whole row yet",
        "cut": "history.csv: the last line is cut short",
        "gone": "no history.csv, though the run completed",
        "odd": "result.json: not a result: status: Field required",
        "empty": "result.json holds no configuration",
    }


def test_a_failed_run_stays_whatever_its_history_looks_like(study: Any) -> None:
    folder = study.run("failed", study.curve(0.5), status="failed", error="MemoryError", last={}, best={})
    (folder / "history.csv").write_text("epo")
    loaded = load([study.folder])
    assert loaded.runs.loc["failed", "error"] == "MemoryError"
    assert math.isnan(loaded.runs.loc["failed", "val_accuracy_last"])
    assert loaded.histories.empty


def test_the_same_run_in_two_studies_counts_once(study: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5))
    shutil.copytree(study.folder, tmp_path / "copy")
    loaded = load([study.folder, tmp_path / "copy"])
    assert loaded.runs.index.tolist() == ["study/a"]
    assert loaded.left_out == {"copy/a": "the same settings and seeds as study/a"}
    assert len(loaded.histories) == 2


def test_a_run_that_completed_is_kept_over_its_crash(study: Any) -> None:
    study.run("a-crash", study.curve(0.5), status="failed")
    study.run("b-again", study.curve(0.5))
    assert load([study.folder]).runs.index.tolist() == ["b-again"]


def test_a_folder_given_twice_is_read_once(study: Any) -> None:
    study.run("a", study.curve(0.5))
    loaded = load([study.folder, study.folder, study.folder / "a"])
    assert (len(loaded.runs), loaded.left_out) == (1, {})


def test_nothing_to_read_is_empty_frames(tmp_path: Path) -> None:
    loaded = load([tmp_path])
    assert loaded.runs.empty
    assert loaded.histories.empty
