"""Whatever ends a process, its cohort goes on from the checkpoint and leaves the files it would have left."""

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dlx.cli import main
from dlx.run.result import read_result
from dlx.study.cohort import train_cohort
from dlx.study.study import Study
from tests.study.contents import files

# All that has a state: dropout, augmentation, batch norm, a schedule with warm-up, momentum, probes, and
# early stopping, which ends some runs before others.
WORDS = (
    "epochs=7",
    "data.train_size=64",
    "data.val_size=30",
    "batch_size=16",
    "model=mlp_bn",
    "model.width=8",
    "model.dropout=0.2",
    "augment=shift_flip",
    "augment.noise=0.1",
    "schedule=cosine",
    "schedule.warmup=1",
    "monitor=val_loss",
    "early_stopping.patience=2",
    "probes.layers=true",
    "probes.gradients=true",
    "probes.steps=true",
    "probes.classes=true",
    "probes.logits=[1,6]",
    "probes.train_samples=20",
    "probes.images=4",
    "checkpoint.every=2",
    "launcher.processes=1",
)
GRIDS = {
    "stacked": ("optimizer=adamw", "optimizer.lr=0.001,0.1", "seed=0,1", "keep=last"),
    "alone": ("engine=loop", "optimizer=sgd", "optimizer.lr=0.1", "optimizer.momentum=0.9", "keep=best"),
}


class Killed(BaseException):
    """Ends training as a signal that cannot be caught would: nothing is written afterwards."""


@pytest.fixture(scope="module", params=GRIDS)
def undisturbed(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[str, ...], Path]:
    """Return a request's words, and the folder of a study in which nothing disturbed it."""
    root = tmp_path_factory.mktemp("undisturbed")
    words = (*WORDS, *GRIDS[request.param], "name=study")
    assert main(["train", *words, f"output_root={root}"]) == 0
    return words, root / "study"


@pytest.fixture
def begun(undisturbed: tuple[tuple[str, ...], Path], tmp_path: Path) -> Study:
    """Return a study of the same request that has not trained yet."""
    shutil.copytree(undisturbed[1] / ".study", tmp_path / "study" / ".study")
    return Study(tmp_path / "study")


def kill_at(call: int) -> Any:
    """Return what training asks before each step and after each epoch; it kills at its nth call."""
    calls = count(1)

    def stop() -> None:
        if next(calls) == call:
            raise Killed

    return stop


def kill(study: Study, call: int) -> bool:
    """Train the study's cohort until it is killed; return whether it was."""
    (cohort,) = study.cohorts
    try:
        train_cohort(study, cohort, None, kill_at(call))
    except Killed:
        return True
    return False


@pytest.mark.parametrize("calls", [(1,), (7,), (15, 15), (22, 3, 9, 4), (13,) * 6])
def test_a_killed_cohort_goes_on_and_leaves_the_same_bits(
    undisturbed: tuple[tuple[str, ...], Path],
    begun: Study,
    calls: tuple[int, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, expected = undisturbed
    killed = [kill(begun, call) for call in calls]
    assert killed[0]
    kept = begun.runs_with_checkpoint()
    assert main(["train", *words, f"output_root={begun.folder.parent}"]) == 0
    assert ("on from the last checkpoint" in capsys.readouterr().out) == bool(kept)
    assert files(begun.folder) == files(expected)
    assert not list(begun.folder.glob(".study/checkpoints/*"))


def test_runs_that_ended_before_the_kill_are_not_touched(
    undisturbed: tuple[tuple[str, ...], Path], begun: Study
) -> None:
    words, expected = undisturbed
    if len(begun.runs) == 1:
        pytest.skip("a run alone has no others")
    epochs = [result.epochs_run for run in begun.runs if (result := read_result(expected / run))]
    ended = min(epochs)
    assert ended < max(epochs)
    steps = 4 * (ended + 1) + ended + 1  # into the epoch after
    assert kill(begun, steps)
    results = {run: begun.folder / run / "result.json" for run in begun.runs}
    before = {run: path.stat().st_mtime_ns for run, path in results.items() if path.is_file()}
    assert 0 < len(before) < len(results)
    assert main(["train", *words, f"output_root={begun.folder.parent}"]) == 0
    assert {run: results[run].stat().st_mtime_ns for run in before} == before
    assert files(begun.folder) == files(expected)


SHORT = ("epochs=3", "keep=last", "model.dropout=0.1", "probes.steps=true", "batch_size=16")
SMALL = ("data.train_size=64", "data.val_size=30", "model.width=8", "name=study", "launcher.processes=1")


@pytest.mark.parametrize(
    "words", [("schedule=step", "schedule.every=2", "engine=loop"), ("seed=0,1", "engine=stacked")]
)
def test_a_longer_run_goes_on_from_the_shorter_ones_last_epoch(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = (*SMALL, *SHORT[1:], *words, "epochs=6")
    assert main(["train", *again, f"output_root={tmp_path / 'at once'}"]) == 0
    assert main(["train", *SMALL, *SHORT, *words, f"output_root={tmp_path / 'twice'}"]) == 0
    capsys.readouterr()
    assert main(["train", *again, f"output_root={tmp_path / 'twice'}"]) == 0
    assert "continued from epoch 3, where the same with fewer epochs ended" in capsys.readouterr().out
    whole = files(tmp_path / "at once" / "study")
    assert whole.items() <= files(tmp_path / "twice" / "study").items()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("schedule=cosine", "keep=last"), "with schedule=cosine each rate depends on the number of epochs"),
        (("keep=best",), "keep=best does not keep the last epoch's weights; keep=last does"),
    ],
)
def test_a_longer_run_that_cannot_go_on_is_trained_anew_and_says_why(
    words: tuple[str, ...], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (*SMALL, *words, f"output_root={tmp_path}")
    assert main(["train", *common, "epochs=2"]) == 0
    assert main(["train", *common, "epochs=3"]) == 0
    assert (
        f"1 run is trained anew, although the same with epochs=2 has ended: {reason}"
        in capsys.readouterr().out
    )


def test_the_last_request_says_how_often_a_run_is_kept(tmp_path: Path) -> None:
    words = ("train", *SMALL, "epochs=1", f"output_root={tmp_path}")
    assert main([*words]) == 0
    assert main([*words]) == 0
    assert main([*words, "checkpoint.every=7"]) == 0
    study = Study(tmp_path / "study")
    assert len(study.requests) == 2
    assert [run.settings.checkpoint.every for run in study.runs.values()] == [7]
