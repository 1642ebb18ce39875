"""`dlx train --dry-run`: the runs, their states, and that nothing is written."""

from pathlib import Path

import pytest

from dlx.cli import main
from dlx.study.dry_run import seconds_of
from dlx.study.estimate import SECONDS_A_MULTIPLY_ADD, SECONDS_A_STEP
from dlx.study.plan import Sketch

QUICK = ["data.train_size=60", "data.val_size=30", "epochs=2", "model.width=4"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))


def shown(capsys, *words, code=0):
    capsys.readouterr()
    assert main(["train", *QUICK, *words, "--dry-run"]) == code
    return capsys.readouterr()


def test_the_runs_their_states_and_their_folder_are_shown_and_nothing_is_written(capsys):
    printed = shown(capsys, "optimizer.lr=0.1,0.2", "seed=0,1", "name=mine").out
    assert printed.startswith("4 runs of 2 settings, none of them trained yet\n")
    assert [line.split() for line in printed.splitlines() if " new " in line] == [
        [lr, seed, "new", "300"] for lr in ("0.1", "0.2") for seed in "01"
    ]  # 64 * 4 + 4 of the first layer, 4 * 2 + 2 of the second, 2 * 10 + 10 of the last
    assert "results would go to outputs/mine\n" in printed
    assert "(16 steps; a few were timed)" in printed  # 4 runs, 2 epochs, 2 batches
    assert not Path("outputs").exists()

    assert main(["train", *QUICK, "optimizer.lr=0.1", "name=mine"]) == 0
    printed = shown(capsys, "optimizer.lr=0.1,0.2", "name=mine").out
    assert printed.startswith("2 runs of 2 settings: 1 ended before, 1 to train\n")
    assert [line.split()[:2] for line in printed.splitlines() if line.startswith(" 0.")] == [
        ["0.1", "ended"],
        ["0.2", "new"],
    ]


def test_of_many_runs_each_setting_has_a_row(capsys):
    printed = shown(capsys, "optimizer.lr=0.1,0.2", "seed=range(11)").out
    rows = [line.split() for line in printed.splitlines() if line.startswith(" 0.")]
    assert rows == [["0.1", "11", "300"], ["0.2", "11", "300"]]


def test_what_is_wrong_with_a_run_is_said(capsys):
    assert "batch_size=64: larger than" in shown(capsys, "batch_size=64", code=2).err
    assert "--dry-run does not go with --cfg" in shown(capsys, "--cfg=job", code=2).err


def test_runs_that_cannot_be_timed_are_estimated_from_their_size():
    alone = Sketch(None, object(), 1000, 1e6)
    expected = 1000 * (SECONDS_A_STEP + 1e6 * SECONDS_A_MULTIPLY_ADD)
    assert seconds_of([alone]) == pytest.approx(expected)
    assert seconds_of([alone, alone]) == pytest.approx(2 * expected)


def test_a_step_that_was_timed_counts_for_all_runs_of_its_kind(monkeypatch):
    monkeypatch.setattr("dlx.engine.stack_width.seconds_by_width", lambda *_: {1: 0.5, 2: 0.25})
    kind = Sketch(("a kind",), object(), 100, 1e6)
    assert seconds_of([kind, kind]) == 2 * 100 * 0.25


def test_a_single_run_is_said_as_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--dry-run", "data.train_size=100"]) == 0
    assert capsys.readouterr().out.startswith("1 run, not trained yet\n")
