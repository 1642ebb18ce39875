"""What is in a run's files when its training ends."""

import copy
import json
import logging
import math
import os
import platform
from dataclasses import replace

import numpy as np
import pytest
import torch

import dlx
from dlx.device import describe_device
from dlx.engine import loop, recorder
from dlx.engine.model_summary import LayerSummary
from dlx.engine.run import EpochEnd, Monitored
from dlx.metrics.metrics import Metric
from dlx.run.checkpoint import read_checkpoint
from dlx.run.history import EpochRow, read_columns
from dlx.run.identity import Fingerprints, identity
from dlx.run.predictions import read_predictions, read_rows
from tests.engine.recorded import CONFIG, record, result_in, train


def test_the_result_of_a_whole_run(make_run, tmp_path):
    layers = (LayerSummary("hidden", "Linear", (8,), 48),)
    own = Fingerprints(code={"net.py": "sha256:12"})
    made, shown = record(
        make_run(layers=layers), tmp_path, fingerprints=own, choices={"optimizer": "slow"}, config=CONFIG
    )
    assert made.start is None
    result = train(made).finish(engine="loop")
    history = read_columns(tmp_path / "history.csv")
    assert [epoch for epoch, _ in shown] == [0, 1, 2, 3] == history["epoch"].tolist()
    written = result_in(tmp_path)
    assert json.loads(result.model_dump_json(exclude={"monitor", "metrics"})) == written
    best = int(np.argmax(history["val_accuracy"]))
    for key, epoch in (("last", 3), ("best", best)):
        for name, column in history.items():
            expected = column[epoch]
            assert written[key][name] == (None if np.isnan(expected) else expected)
    assert written["status"] == "completed"
    assert written["identity"] == identity(CONFIG, own)
    assert written["fingerprints"] == {"code": {"net.py": "sha256:12"}, "data": {}}
    assert (written["config"], written["choices"]) == (CONFIG, {"optimizer": "slow"})
    assert (written["engine"], written["cohort"]) == ("loop", 1)
    assert (written["epochs_run"], written["stopped_early"]) == (3, False)
    assert written["time_seconds"] == history["time"][3] > 0
    assert (written["checkpoint_sha256"], written["error"]) == (None, None)
    assert written["parameters"] == 5 * 8 + 8 + 8 * 3 + 3
    assert written["layers"] == [
        {"layer": "hidden", "module": "Linear", "output_shape": [8], "parameters": 48}
    ]
    assert written["data"] == {
        "train": 22,
        "val": 10,
        "test": 8,
        "input_shape": [5],
        "classes": ["a", "b", "c"],
    }
    assert written["threads"] == torch.get_num_threads()
    assert written["device"] == describe_device(made.run.device)
    assert written["versions"] == {
        "dlx": dlx.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    assert written["machine"] == {
        "system": platform.system(),
        "processor": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
    }
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_predictions_are_those_of_the_last_and_of_the_best_epoch(make_run, tmp_path):
    rows = torch.arange(10).flip(0) + 5
    run = make_run()
    run = replace(run, data=replace(run.data, val_rows=rows))
    made, _ = record(run, tmp_path)
    outputs = []
    for end in loop.train(run):
        outputs.append(end.val_outputs_NK.numpy().copy())
        made.epoch(end)
    made.finish()
    best = int(np.argmax(read_columns(tmp_path / "history.csv")["val_accuracy"]))
    assert best != 3
    kept = read_predictions(tmp_path)
    assert (kept.last_epoch, kept.best_epoch) == (3, best)
    np.testing.assert_allclose(kept.last_outputs, outputs[3], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(kept.best_outputs, outputs[best], rtol=1e-3, atol=1e-3)
    assert kept.labels.tolist() == run.data.val.labels.tolist()
    assert read_rows(tmp_path).tolist() == rows.tolist()


@pytest.mark.parametrize(("task", "dtype"), [("classification", np.float16), ("regression", np.float32)])
def test_outputs_that_are_no_classes_keep_their_precision(make_run, tmp_path, task, dtype):
    made, _ = record(make_run(task=task, monitor=Monitored("val_loss", higher=False)), tmp_path)
    train(made).finish()
    assert read_predictions(tmp_path).last_outputs.dtype == dtype


def test_a_monitor_that_stands_for_another_and_the_metrics_are_recorded(make_run, tmp_path):
    metrics = [Metric("mine", lambda outputs, labels: outputs.mean() + 0 * labels.sum(), True)]
    made, shown = record(make_run(metrics=metrics, monitor=Monitored("val_mine", higher=True)), tmp_path)
    train(made).finish()
    written = result_in(tmp_path)
    assert (written["monitor"], written["metrics"]) == ("val_mine", {"mine": {"higher_is_better": True}})
    history = read_columns(tmp_path / "history.csv")
    assert written["best"]["epoch"] == int(np.argmax(history["val_mine"]))
    for epoch, extra in shown:
        assert extra["val_mine"] == history["val_mine"][epoch]
    assert written["last"]["train_mine"] == history["train_mine"][3]


def ended(epoch, val_accuracy, loss=1.0):
    row = EpochRow(epoch, 6 * epoch, float(epoch), 0.1, loss if epoch else None, None, loss, val_accuracy)
    return EpochEnd(row, torch.zeros(10, 3))


def test_a_run_that_runs_out_of_patience_has_stopped_early(make_run, tmp_path):
    made, _ = record(make_run(epochs=9), tmp_path, patience=2, min_delta=0.1)
    stops = []
    for epoch, accuracy in enumerate([0.1, 0.5, 0.55, 0.58]):
        made.epoch(ended(epoch, accuracy))
        stops.append(made.stop)
    assert stops == [False, False, False, True]
    assert made.last_epoch == 3
    made.finish()
    written = result_in(tmp_path)
    assert (written["status"], written["stopped_early"], written["epochs_run"]) == ("completed", True, 3)
    assert written["best"]["epoch"] == 3


def test_a_run_whose_patience_ends_with_its_epochs_has_not_stopped_early(make_run, tmp_path):
    made, _ = record(make_run(epochs=2), tmp_path, patience=2)
    for epoch in range(3):
        made.epoch(ended(epoch, 0.5))
    assert made.stop
    made.finish()
    assert result_in(tmp_path)["stopped_early"] is False


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(make_run, tmp_path):
    made, _ = record(make_run(), tmp_path)
    made.epoch(ended(0, 0.5))
    made.epoch(ended(1, 0.5, math.nan))
    assert made.stop
    made.finish()
    written = result_in(tmp_path)
    assert (written["status"], written["epochs_run"], written["last"]["val_loss"]) == ("diverged", 1, None)


STALE = ("result.json", "history.csv", "predictions.npz", "checkpoint.pt", "layers.csv", "logits.npz")


def test_what_an_earlier_attempt_left_is_removed(make_run, tmp_path):
    for name in (*STALE, "train.log", "notes.txt"):
        (tmp_path / name).write_text("old")
    record(make_run(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "train.log"]


def test_the_log_says_how_a_run_begins_and_how_it_ends(make_run, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        made, _ = record(make_run(), tmp_path)
        train(made).finish()
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith("training on ")
    assert first.endswith(f", {torch.get_num_threads()} threads")
    assert last.startswith("completed after epoch 3: {'epoch': 3, 'step': 18, ")


def test_hooks_are_called_after_every_epoch_of_training(make_run, tmp_path):
    called = []
    hooks = [called.append, lambda run: called.append(run.epoch)]
    made, _ = record(make_run(hooks=hooks), tmp_path)
    rows = []
    for end in loop.train(made.run):
        rows.append(end.row)
        made.epoch(end)
    assert called[1::2] == [1, 2, 3]
    for given, row in zip(called[::2], rows[1:], strict=True):
        assert (given.epoch, given.epochs, given.folder, given.config) == (row.epoch, 3, tmp_path, CONFIG)
        assert given.metrics["val_loss"] == row.val_loss
        assert given.model is made.run.model
        assert given.optimizers is made.run.optimizers


@pytest.mark.parametrize(("keep", "epoch"), [("last", 3), ("auto", 3), ("best", None), ("none", None)])
def test_the_weights_that_are_kept(make_run, tmp_path, keep, epoch):
    made, _ = record(make_run(), tmp_path, keep=keep)
    weights = []
    for end in loop.train(made.run):
        weights.append(copy.deepcopy(made.run.model.state_dict()))
        made.epoch(end)
    made.finish()
    written = result_in(tmp_path)
    if keep == "none":
        assert written["checkpoint_sha256"] is None
        assert not (tmp_path / "checkpoint.pt").exists()
        return
    content = read_checkpoint(tmp_path, written["checkpoint_sha256"])
    epoch = epoch or written["best"]["epoch"]
    assert content["epoch"] == epoch
    assert content["identity"] == written["identity"]
    assert content["model"].keys() == weights[epoch].keys()
    assert all(torch.equal(content["model"][name], value) for name, value in weights[epoch].items())
    assert ("training" in content) is (keep != "best")
    if keep != "best":
        assert content["training"]["position"]["step"] == 18
        assert "model" not in content["training"]


def test_large_weights_are_kept_only_if_that_is_asked_for(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "is_kept_by_default", lambda run: False)
    for keep, there in (("auto", False), ("last", True)):
        made, _ = record(make_run(), tmp_path / keep, keep=keep)
        train(made).finish()
        assert (tmp_path / keep / "checkpoint.pt").exists() is there
