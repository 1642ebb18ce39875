"""Runs that go on from a state, that had ended already, or that fail."""

import copy
import errno
from dataclasses import replace

import numpy as np
import pytest
import torch

from dlx.engine import loop
from dlx.engine.probes import LayerProbe, Probes
from dlx.run.history import read_columns
from dlx.run.identity import Fingerprints, identity
from dlx.run.result import Result
from tests.engine.recorded import CONFIG, record, result_in, train


def numbers(folder):
    """The history without its seconds."""
    return {name: column for name, column in read_columns(folder / "history.csv").items() if name != "time"}


def assert_same_numbers(folder, other):
    mine, theirs = numbers(folder), numbers(other)
    assert mine.keys() == theirs.keys()
    for name, column in mine.items():
        np.testing.assert_array_equal(column, theirs[name])


def probed(make_run):
    """A run with a probe of its layers, dropout and an optimizer that has a state."""
    run = make_run(model_arguments={"sizes": [8], "dropout": 0.3})
    return replace(run, probes=Probes(layers=LayerProbe(run.model), logits={1, 3}))


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_goes_on_from_a_state_as_if_it_had_not_been_interrupted(make_run, tmp_path, after):
    whole, _ = record(probed(make_run), tmp_path / "whole", keep="best")
    train(whole).finish()
    part, _ = record(probed(make_run), tmp_path / "part", keep="best")
    state = copy.deepcopy(train(part, after).state())
    train(part)  # more than the state knows of: rows that are cut off again
    resumed, shown = record(probed(make_run), tmp_path / "part", keep="best", state=state)
    assert (resumed.start.epoch, resumed.start.step) == (after, 6 * after)
    assert resumed.start.seconds == state["position"]["seconds"] > 0
    train(resumed).finish()
    assert [epoch for epoch, _ in shown] == list(range(after + 1, 4))
    assert_same_numbers(tmp_path / "whole", tmp_path / "part")
    for name in ("layers.csv", "predictions.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes()
    with np.load(tmp_path / "whole/logits.npz") as one, np.load(tmp_path / "part/logits.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)
    one, other = result_in(tmp_path / "whole"), result_in(tmp_path / "part")
    assert {**one["best"], "time": 0} == {**other["best"], "time": 0}


def test_a_state_is_a_copy_that_further_training_leaves_alone(make_run, tmp_path):
    made, _ = record(make_run(), tmp_path)
    train(made, 1)
    state = made.state()
    kept = copy.deepcopy(state)
    assert state["position"] == {"epoch": 1, "step": 6, "seconds": state["position"]["seconds"]}
    assert state["identity"] == identity(CONFIG)
    assert state["recordings"] == {"keep": "none", "probes": {}}
    for end in loop.train(made.run, made.start):
        made.epoch(end)
        break
    with torch.no_grad():
        for parameter in made.run.model.parameters():
            parameter.add_(1.0)
        for values in made.run.optimizers[0].state.values():
            values["exp_avg"].add_(1.0)
    assert all(map(torch.equal, state["model"].values(), kept["model"].values()))
    states = (each["optimizers"][0]["state"] for each in (state, kept))
    for one, other in zip(*(each.values() for each in states), strict=True):
        assert torch.equal(one["exp_avg"], other["exp_avg"])
    assert (tmp_path / "history.csv").read_text().count("\n") >= 3  # its rows are on the disk


def test_a_state_of_another_run_is_refused(make_run, tmp_path):
    made, _ = record(make_run(), tmp_path)
    state = train(made, 1).state()
    with pytest.raises(ValueError, match="the checkpoint is another run's"):
        record(make_run(), tmp_path, config=CONFIG | {"seed": 4}, state=state)
    with pytest.raises(ValueError, match="the checkpoint is another run's"):
        record(make_run(), tmp_path, fingerprints=Fingerprints(code={"a.py": "1"}), state=state)
    with pytest.raises(ValueError, match="written for other probes, or another `keep`"):
        record(make_run(), tmp_path, keep="last", state=state)


def test_a_state_of_before_recordings_were_kept_is_taken(make_run, tmp_path):
    made, _ = record(make_run(), tmp_path)
    state = train(made, 1).state()
    del state["recordings"]
    resumed, _ = record(make_run(), tmp_path, state=state)
    assert resumed.start.epoch == 1


OF_AN_ENDED_RUN = Result(status="completed", identity=identity(CONFIG), config=CONFIG)


def test_a_run_that_has_ended_is_trained_again_without_a_trace(make_run, tmp_path):
    made, _ = record(make_run(), tmp_path / "first")
    state = train(made, 1).state()
    (tmp_path / "again").mkdir()
    again, shown = record(
        make_run(hooks=[pytest.fail]), tmp_path / "again", keep="last", state=state, ended=OF_AN_ENDED_RUN
    )
    train(again)
    assert again.last_epoch == 3
    assert again.finish() is OF_AN_ENDED_RUN
    again.fail(ValueError("its cohort failed"))
    assert (shown, list((tmp_path / "again").iterdir())) == ([], [])
    assert (again.state()["history"], again.state()["probes"]) == (None, None)


def test_an_ended_run_without_a_state_keeps_its_files(make_run, tmp_path):
    (tmp_path / "history.csv").write_text("old")
    record(make_run(), tmp_path, ended=OF_AN_ENDED_RUN)
    assert (tmp_path / "history.csv").read_text() == "old"


def test_a_failed_run_says_why_and_keeps_its_rows(make_run, tmp_path, caplog):
    own = Fingerprints(code={"a.py": "1"})
    made, _ = record(make_run(), tmp_path, fingerprints=own, choices={"model": "mine"})
    train(made, 2).fail(ValueError("a bad value\nand more"))
    written = result_in(tmp_path)
    assert (written["status"], written["error"]) == ("failed", "ValueError: a bad value")
    assert written["identity"] == identity(CONFIG, own)
    assert written["fingerprints"] == {"code": {"a.py": "1"}, "data": {}}
    assert (written["config"], written["choices"]) == (CONFIG, {"model": "mine"})
    assert read_columns(tmp_path / "history.csv")["epoch"].tolist() == [0, 1, 2]
    assert "the run failed" in caplog.text
    assert "a bad value\nand more" in caplog.text


def test_a_run_may_fail_before_its_first_epoch(make_run, tmp_path):
    made, _ = record(make_run(), tmp_path)
    made.fail(RuntimeError("at once"))
    assert result_in(tmp_path)["error"] == "RuntimeError: at once"
    assert not (tmp_path / "history.csv").exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        "a file of the study is gone",
    ],
)
def test_where_nothing_can_be_written_no_failure_is(make_run, tmp_path, error, caplog):
    made, _ = record(make_run(), tmp_path / "study" / "run")
    if isinstance(error, str):
        error = FileNotFoundError(errno.ENOENT, error, str(tmp_path / "study" / "run" / "history.csv"))
    made.fail(error)
    assert not (tmp_path / "study" / "run" / "result.json").exists()
    assert caplog.text == ""


def test_a_file_that_is_missing_elsewhere_is_a_failure(make_run, tmp_path):
    made, _ = record(make_run(), tmp_path / "study" / "run")
    made.fail(FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "weights.pt")))
    assert result_in(tmp_path / "study" / "run")["error"].startswith("FileNotFoundError: ")
