"""Evaluation takes as much memory as training, changes nothing, and refuses a checkpoint of another run."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.data.dataset import Split
from dlx.engine import evaluation
from dlx.engine.evaluation import (
    CheckpointScore,
    evaluate,
    evaluate_checkpoint,
    evaluate_for_probe,
    evaluate_model,
    evaluation_batch,
    join_outputs,
    load_weights,
    sum_outputs,
)
from dlx.errors import RequestError
from dlx.metrics.metrics import Metric
from dlx.run.checkpoint import write_checkpoint
from dlx.run.result import Result


@pytest.mark.parametrize(
    ("shape", "samples"),
    [((784,), 1000), ((3, 32, 32), 1000), ((3, 224, 224), 27), ((1 << 22,), 1), ((1 << 23,), 1), ((), 1000)],
)
def test_a_batch_of_evaluation_has_at_most_four_million_values(shape, samples):
    assert evaluation_batch(shape) == samples


@pytest.mark.parametrize("axis", [0, 1])
def test_joined_outputs_are_those_of_cat(axis):
    parts = [torch.randn(2, 3, 4) for _ in range(3)]
    joined = join_outputs(iter(parts), parts[0].shape[axis] * 3, axis)
    assert torch.equal(joined, torch.cat(parts, axis))


def test_parts_of_different_sizes_are_joined_in_their_order():
    parts = [torch.full((size, 2), float(size)) for size in (3, 1, 2)]
    assert torch.equal(join_outputs(parts, 6), torch.cat(parts))


def test_nothing_joined_is_nothing():
    assert join_outputs([], 0).shape == (0,)


def test_the_sums_of_several_runs_are_those_of_each(make_run):
    run = make_run()
    outputs_RNK = torch.randn(2, 10, 3)
    losses, correct, samples = sum_outputs(run.loss, outputs_RNK, run.data.val)
    assert samples == 10
    for row, outputs_NK in enumerate(outputs_RNK):
        expected = F.cross_entropy(outputs_NK, run.data.val.labels, reduction="sum")
        assert float(losses[row]) == pytest.approx(float(expected), rel=1e-6)
        assert int(correct[row]) == int((outputs_NK.argmax(1) == run.data.val.labels).sum())
        alone = sum_outputs(run.loss, outputs_NK, run.data.val)
        assert [float(alone.losses), float(alone.correct)] == [float(losses[row]), float(correct[row])]


@pytest.mark.parametrize("size", [3, 1000])
def test_a_model_is_evaluated_in_evaluation_mode_whatever_the_batch(make_run, monkeypatch, size):
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", size)
    run = make_run(model_arguments={"sizes": [8], "dropout": 0.5, "norm": "batch"})
    run.model.train()
    outputs, (loss, accuracy) = evaluate(run, run.data.val, 1)
    assert not run.model.training
    with torch.no_grad():
        expected = run.model(run.data.val.inputs)
    torch.testing.assert_close(outputs, expected)
    assert not outputs.requires_grad
    assert loss == pytest.approx(float(F.cross_entropy(expected, run.data.val.labels)), rel=1e-6)
    assert accuracy == float((expected.argmax(1) == run.data.val.labels).double().mean())


def test_what_does_not_classify_has_no_accuracy(make_run):
    run = make_run(task="none")
    assert evaluate(run, run.data.val, 1)[1].accuracy is None


class Drawing(nn.Linear):
    """Draws in evaluation, too."""

    def forward(self, x):
        return super().forward(x) + torch.rand(3)


def test_a_module_that_draws_in_evaluation_draws_the_same_for_an_epoch(make_run):
    run = make_run(model=Drawing(5, 3))
    before = torch.get_rng_state()
    first, again, later = (evaluate_model(run, run.data.val, epoch) for epoch in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert torch.equal(torch.get_rng_state(), before)


class Counting(nn.Linear):
    def __init__(self):
        super().__init__(5, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


def test_an_evaluation_for_a_probe_restores_the_buffers(make_run):
    run = make_run(model=Counting())
    evaluate(run, run.data.val, 1)
    assert float(run.model.calls) == 1
    outputs, metrics = evaluate_for_probe(run, run.data.val, 1)
    assert float(run.model.calls) == 1
    expected, of_expected = evaluate(run, run.data.val, 1)
    assert torch.equal(outputs, expected)
    assert metrics == of_expected


@pytest.fixture
def trained(make_run, tmp_path):
    """A run, the checkpoint of its epoch 2 in a folder, and its result."""
    run = make_run(metrics=[Metric("mean", lambda outputs, labels: outputs.mean() + labels.sum(), None)])
    accuracy = evaluate(run, run.data.val, 2)[1].accuracy
    sha256 = write_checkpoint(tmp_path, {"epoch": 2, "model": run.model.state_dict(), "identity": ""})
    best = {"epoch": 2, "val_accuracy": accuracy}
    return (
        run,
        tmp_path,
        Result(
            status="completed",
            identity="ab" * 32,
            config={"keep": "best"},
            best=best,
            last={"epoch": 3, "val_accuracy": 0.0},
            checkpoint_sha256=sha256,
        ),
    )


def test_the_weights_of_a_checkpoint_are_scored(trained, make_run):
    run, folder, result = trained
    other = replace(make_run(init_seed=9), metrics=run.metrics)
    assert load_weights(other, folder, result) == 2
    assert all(map(torch.equal, other.model.state_dict().values(), run.model.state_dict().values()))
    outputs, (loss, accuracy) = evaluate(run, run.data.test, 2)
    expected = float(outputs.mean() + run.data.test.labels.sum())
    got = evaluate_checkpoint(other, folder, result, "test")
    assert got == CheckpointScore(8, 2, loss, accuracy, {"mean": expected})


def test_an_accuracy_that_rounding_changes_is_the_same(trained):
    run, folder, result = trained
    accuracy = result.best["val_accuracy"]
    for off, same in ((0.009, True), (-0.009, True), (0.011, False), (-0.011, False)):
        changed = result.model_copy(update={"best": {"epoch": 2, "val_accuracy": accuracy + off}})
        if same:
            assert load_weights(run, folder, changed) == 2
        else:
            with pytest.raises(RequestError, match=f"is {accuracy:.4f}, but {accuracy + off:.4f} was recor"):
                load_weights(run, folder, changed)


def test_a_run_without_an_accuracy_is_scored(trained):
    run, folder, result = trained
    without = result.model_copy(update={"best": {"epoch": 2, "val_accuracy": None}})
    assert load_weights(run, folder, without) == 2
    assert load_weights(replace(run, task="none"), folder, result) == 2


def test_the_checkpoint_of_the_last_epoch_is_compared_with_the_last_row(trained):
    run, folder, result = trained
    last = {"epoch": 2, "val_accuracy": result.best["val_accuracy"]}
    rows = {"last": last, "best": {"epoch": 1, "val_accuracy": 0.0}}
    assert load_weights(run, folder, result.model_copy(update=rows)) == 2
    unknown = result.model_copy(update={"best": {"epoch": 1}})
    with pytest.raises(RequestError, match=r"its checkpoint is of epoch 2, of which result\.json says"):
        load_weights(run, folder, unknown)


def test_a_split_without_samples_is_refused(trained):
    run, folder, result = trained
    empty = Split(run.data.test.inputs[:0], run.data.test.labels[:0])
    with pytest.raises(RequestError, match=r"its data has no test split \(data.test_size\)"):
        evaluate_checkpoint(replace(run, data=replace(run.data, test=empty)), folder, result, "test")


def test_a_checkpoint_that_is_missing_or_does_not_fit_is_one_line(trained, make_run):
    run, folder, result = trained
    with pytest.raises(RequestError, match="has no checkpoint; train again with keep=last or keep=best"):
        load_weights(run, folder, result.model_copy(update={"checkpoint_sha256": None}))
    with pytest.raises(RequestError, match="size mismatch for ") as refused:
        load_weights(make_run(model_arguments={"sizes": [9]}), folder, result)
    assert "\n" not in str(refused.value)
    with pytest.raises(RequestError, match="damaged"):
        load_weights(run, folder, result.model_copy(update={"checkpoint_sha256": "cd" * 32}))
    (folder / "checkpoint.pt").unlink()
    with pytest.raises(RequestError, match=r"checkpoint\.pt no longer exists; rerun=true"):
        load_weights(run, folder, result)


def test_a_checkpoint_may_have_250_copies_of_the_weights_and_16_megabytes(trained, monkeypatch):
    run, folder, result = trained
    limits = []
    read = evaluation.read_checkpoint
    monkeypatch.setattr(evaluation, "read_checkpoint", lambda *a: limits.append(a[2]) or read(*a[:2]))
    load_weights(run, folder, result)
    assert limits == [16_000_000 + 250 * 4 * (5 * 8 + 8 + 8 * 3 + 3)]
