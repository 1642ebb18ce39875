"""A cohort's runs end one by one, each with its own result; a failure ends those that have not ended."""

import json
import logging
from types import SimpleNamespace

import pytest
import torch

from dlx.engine import loop
from dlx.engine.recorder import Recorder
from dlx.engine.trainer import execute
from tests.engine.conftest import make_run

SETTINGS = SimpleNamespace(
    keep="none", early_stopping=SimpleNamespace(patience=0, min_delta=0.0), monitor="val_accuracy"
)


class Kept:
    """Checkpoints that note what they are called with; `fails` is raised before that step."""

    def __init__(self, cohort=1, fails=None):
        self.cohort, self.calls, self.steps, self._fails = cohort, [], 0, fails

    def before_step(self):
        self.steps += 1
        if self.steps == self._fails:
            raise RuntimeError("no more")

    def epoch_end(self, engine, recorders):
        names = [recorder.folder.name for recorder in recorders]
        self.calls.append((engine, recorders[0].last_epoch, names))


def recorder(folder, run, state=None):
    folder.mkdir(exist_ok=True)
    return Recorder(run, SETTINGS, {"seed": 0}, folder, lambda *_: None, logging.getLogger("x"), state=state)


def result_in(folder):
    path = folder / "result.json"
    return json.loads(path.read_text()) if path.exists() else None


def three(tmp_path, **changes):
    """Recorders of three runs of equal shapes; the second diverges in the first epoch."""
    runs = [make_run(init_seed=seed, lr=lr, **changes) for seed, lr in enumerate((0.01, 1e38, 0.02))]
    return [recorder(tmp_path / name, run) for name, run in zip("abc", runs, strict=True)]


def test_the_loop_trains_a_run_alone(tmp_path):
    kept = Kept(cohort=1)
    (result,) = execute([recorder(tmp_path / "a", make_run())], "loop", kept)
    assert (result.status, result.engine, result.cohort, result.epochs_run) == ("completed", "loop", 1, 3)
    assert kept.calls == [("loop", epoch, ["a"]) for epoch in (0, 1, 2)]
    assert kept.steps == 18
    alone = list(loop.train(make_run()))[-1].row
    assert result.last["val_loss"] == alone.val_loss


def test_a_run_that_diverges_leaves_the_stack_and_its_checkpoints(tmp_path):
    kept = Kept(cohort=5)
    results = execute(three(tmp_path), "stacked", kept)
    assert [result.status for result in results] == ["completed", "diverged", "completed"]
    assert [(result.engine, result.cohort) for result in results] == [("stacked", 5)] * 3
    assert [result.epochs_run for result in results] == [3, results[1].epochs_run, 3]
    assert results[1].epochs_run < 3
    first = results[1].epochs_run
    both, all_three = ["a", "c"], ["a", "b", "c"]
    assert kept.calls == [("stacked", epoch, all_three if epoch < first else both) for epoch in (0, 1, 2)]
    assert kept.steps == 18
    assert [result_in(tmp_path / name)["status"] for name in "abc"] == ["completed", "diverged", "completed"]


def test_a_failure_is_that_of_every_run_that_has_not_ended(tmp_path):
    with pytest.raises(RuntimeError, match="no more"):
        execute(three(tmp_path), "stacked", Kept(cohort=3, fails=18))
    written = [result_in(tmp_path / name) for name in "abc"]
    assert [each["status"] for each in written] == ["failed", "diverged", "failed"]
    assert written[0]["error"] == written[2]["error"]
    assert written[0]["error"].startswith("RuntimeError: no more (")
    assert "test_trainer.py, line " in written[0]["error"]


def test_a_stop_is_no_failure(tmp_path):
    class Stopped(Kept):
        def epoch_end(self, engine, recorders):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute([recorder(tmp_path / "a", make_run())], "loop", Stopped())
    assert result_in(tmp_path / "a") is None


@pytest.mark.parametrize("engine", ["loop", "stacked"])
def test_runs_go_on_from_their_states(tmp_path, engine):
    count = 1 if engine == "loop" else 2

    def cohort(states=(None, None)):
        return [
            recorder(tmp_path / str(index), make_run(init_seed=index), states[index])
            for index in range(count)
        ]

    whole = execute(cohort(), engine, Kept(count))
    states = []

    class Left(Kept):
        def epoch_end(self, engine, recorders):
            if recorders[0].last_epoch == 1:
                states.extend(recorder.state() for recorder in recorders)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(cohort(), engine, Left(count))
    kept = Kept(count)
    resumed = execute(cohort(states), engine, kept)
    assert kept.steps == 12
    for one, other in zip(whole, resumed, strict=True):
        assert {**one.last, "time": 0} == {**other.last, "time": 0}
        assert one.best["epoch"] == other.best["epoch"]
        assert other.last["time"] >= 0
        assert torch.isfinite(torch.tensor(other.last["val_loss"]))
