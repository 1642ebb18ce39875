"""The study to time the report with is one that the report reads whole."""

import subprocess
import sys
from pathlib import Path

import dlx


def test_it_has_the_runs_epochs_and_seeds_asked_for(tmp_path: Path) -> None:
    script = Path(__file__).with_name("synthetic_study.py")
    sizes = ["--runs", "6", "--epochs", "3", "--seeds", "2"]
    subprocess.run([sys.executable, str(script), str(tmp_path / "made"), *sizes], check=True, timeout=120)
    study = dlx.load(tmp_path / "made")
    assert study.left_out == {}
    assert study.swept == ["model.width", "optimizer.lr", "seed"]
    assert len(study.runs) == 6
    assert study.runs.groupby(["model.width", "optimizer.lr"]).size().tolist() == [2, 2, 2]
    assert study.histories.groupby("run").size().tolist() == [4] * 6
    assert study.histories["val_accuracy"].between(0, 1).all()
