"""Every run is in the frames or left out with its reason, none counts twice; `dlx.load` does what it says."""

import doctest
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dlx
from dlx.errors import RequestError
from dlx.report.load import load_study
from dlx.report.reader import Reader


def test_rows_hold_the_last_and_the_best_epoch(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9, 0.8), seed=3)
    loaded = load_study([study.folder])
    row = loaded.runs.loc["a"]
    assert (row["last_epoch"], row["val_accuracy_last"]) == (3, 0.8)
    assert (row["best_epoch"], row["val_accuracy_best"]) == (2, 0.9)
    assert (row["seed"], row["status"], row["torch"]) == (3, "completed", "2.10")
    assert loaded.settings["a"]["optimizer.lr"] == 0.001
    assert loaded.histories["val_accuracy"].tolist() == [0.1, 0.5, 0.9, 0.8]
    assert loaded.histories.columns[:2].tolist() == ["run", "epoch"]


def test_unfinished_and_unreadable_runs_are_left_out_with_their_reason(study: Any) -> None:
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
    loaded = load_study([study.folder], Reader(clock=lambda: dead.stat().st_mtime + 3000))
    assert loaded.runs.index.tolist() == ["good"]
    assert loaded.running == {"running": "epoch 1, val accuracy 0.5000"}
    assert loaded.left_out == {
        "dead": "no result.json: interrupted at epoch 1, val accuracy 0.5000, or silent for 3,000 s",
        "waiting": "no result.json and no history.csv: not started, or interrupted",
        "torn": "history.csv: no complete row yet",
        "cut": "history.csv: the last line is cut short",
        "gone": "no history.csv, though the run completed",
        "odd": "result.json: not a result: status: Field required",
        "empty": "result.json holds no configuration",
    }


def test_a_failed_run_is_kept_whatever_its_history_looks_like(study: Any) -> None:
    folder = study.run("failed", study.curve(0.5), status="failed", error="MemoryError", last={}, best={})
    (folder / "history.csv").write_text("epo")
    loaded = load_study([study.folder])
    assert loaded.runs.loc["failed", "error"] == "MemoryError"
    assert math.isnan(loaded.runs.loc["failed", "val_accuracy_last"])
    assert loaded.histories.empty


def test_the_same_run_in_two_studies_counts_once(study: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5))
    shutil.copytree(study.folder, tmp_path / "copy")
    loaded = load_study([study.folder, tmp_path / "copy"])
    assert loaded.runs.index.tolist() == ["study/a"]
    assert loaded.left_out == {"copy/a": "the same settings and seeds as study/a"}
    assert len(loaded.histories) == 2


def test_a_run_that_completed_is_kept_over_its_crash(study: Any) -> None:
    study.run("a-crash", study.curve(0.5), status="failed")
    study.run("b-again", study.curve(0.5))
    assert load_study([study.folder]).runs.index.tolist() == ["b-again"]


def test_a_folder_given_twice_is_read_once(study: Any) -> None:
    study.run("a", study.curve(0.5))
    loaded = load_study([study.folder, study.folder, study.folder / "a"])
    assert (len(loaded.runs), loaded.left_out) == (1, {})


def test_without_runs_the_frames_are_empty(tmp_path: Path) -> None:
    loaded = load_study([tmp_path])
    assert loaded.runs.empty
    assert loaded.histories.empty


def a_sweep(study: Any) -> None:
    for lr, first, last in ((0.001, 0.5, 0.75), (0.01, 0.8, 0.9)):
        for seed in range(2):
            study.run(f"lr{lr}-{seed}", study.curve(first, last), {"optimizer.lr": lr}, seed=seed)
    cut = study.run("crashed", study.curve(0.5), seed=2) / "history.csv"
    cut.write_text(cut.read_text()[:-2])


def test_the_example_of_load_is_true(builder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a_sweep(builder(Path("outputs/mystudy")))
    (example,) = [
        test for test in doctest.DocTestFinder(recurse=False).find(dlx.load, "load") if test.examples
    ]
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert result.attempted == 8
    assert result.failed == 0, "".join(said)


def test_without_a_folder_the_newest_study_is_loaded(
    builder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_sweep(builder(Path("outputs/mystudy")))
    assert len(dlx.load().runs) == 4


def test_a_frame_has_a_row_per_run_with_its_settings_and_both_epochs(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9, 0.8), {"optimizer.name": "adam"})
    study.run("b", study.curve(0.5), {"optimizer.name": "sgd", "optimizer.momentum": 0.9}, status="diverged")
    loaded = dlx.load(study.folder)
    assert loaded.swept == ["optimizer.name"]
    row = loaded.runs.loc["a"]
    assert (row["optimizer.name"], row["val_accuracy_last"], row["val_accuracy_best"]) == ("adam", 0.8, 0.9)
    assert (row["last_epoch"], row["best_epoch"]) == (3, 2)
    assert loaded.runs["status"].to_dict() == {"a": "completed", "b": "diverged"}
    assert loaded.histories.columns[:4].tolist() == ["run", "optimizer.name", "epoch", "step"]
    assert loaded.histories.groupby("optimizer.name")["epoch"].max().to_dict() == {"adam": 3, "sgd": 1}
    assert loaded.settings.loc["b", "optimizer.momentum"] == 0.9
    assert math.isnan(loaded.settings.loc["a", "optimizer.momentum"])


def test_a_swept_key_named_like_a_column_appears_once(study: Any) -> None:
    for index, lr in enumerate((0.1, 0.2)):
        study.run(f"run{index}", study.curve(0.5), {"lr": lr, "status": f"odd{index}"}, seed=index)
    loaded = dlx.load(str(study.folder))
    assert loaded.runs.columns.is_unique
    assert loaded.histories.columns.is_unique
    assert loaded.runs["lr"].tolist() == [0.1, 0.2]
    assert loaded.histories["lr"].tolist() == [0.001] * 4  # the history's own


def test_a_single_run_and_no_run_give_frames(study: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = dlx.load(tmp_path / "empty")
    assert (len(empty.runs), len(empty.histories), len(empty.settings)) == (0, 0, 0)
    study.run("only", study.curve(0.5), status=None)
    assert dlx.load(study.folder).running == {"only": "epoch 1, val accuracy 0.5000"}
    with pytest.raises(RequestError, match="there is no folder"):
        dlx.load(tmp_path / "nothing")


def test_importing_dlx_imports_nothing_of_its_own_and_nothing_heavy() -> None:
    code = "import sys, dlx; print(*(name.split('.')[0] for name in sys.modules if name != 'dlx'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"dlx", "pandas", "numpy", "torch", "pydantic", "rich"} & set(done.stdout.split())
