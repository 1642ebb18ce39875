"""Evaluates a run's model on a split of its data, during training or later from its checkpoint.

Axes: N samples of a split, K outputs.
"""

import math
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dlx import rng
from dlx.data.dataset import Split
from dlx.engine.metrics import Metrics, Outputs, Sums, fetch, measure, sums
from dlx.engine.run import Run
from dlx.errors import RequestError
from dlx.loss.losses import Loss
from dlx.model.models import use_generator
from dlx.run.checkpoint import read_checkpoint
from dlx.run.recordings import why_no_checkpoint
from dlx.run.result import Result

# A batch of evaluation needs no more memory than training does, and few calls. 1000 samples of CIFAR-10 have
# 3 million values. Images of 224x224x3 are evaluated 27 at a time: 1000 take 600 MB for each copy.
EVALUATION_BATCH, EVALUATION_VALUES = 1000, 1 << 22

# The largest accepted difference from the recorded validation accuracy. Another device, thread count or
# version of torch rounds differently and may change one or two answers; other data or code changes many.
SAME_ACCURACY = 0.01

# A checkpoint, with the optimizer's state, is smaller than so many bytes and copies of the weights.
LEAST_CHECKPOINT, COPIES = 16_000_000, 250


def evaluation_batch(input_shape: tuple[int, ...]) -> int:
    """Return the number of samples to evaluate at a time."""
    return max(1, min(EVALUATION_BATCH, EVALUATION_VALUES // max(1, math.prod(input_shape))))


def join_outputs(parts: Iterable[Tensor], samples: int, axis: int = 0) -> Tensor:
    """Return what `torch.cat` returns for parts of so many `samples` together, but keep none of the parts.

    Small tensors that live on lie where large activations were, and the heap falls to pieces.
    """
    joined, start = torch.empty(0), 0
    for part in parts:
        if start == 0:
            joined = part.new_empty((*part.shape[:axis], samples, *part.shape[axis + 1 :]))
        joined.narrow(axis, start, part.shape[axis]).copy_(part)
        start += part.shape[axis]
    return joined


def evaluate(run: Run, split: Split, epoch: int) -> tuple[Tensor, Metrics]:
    """Return the model's outputs [N, K] on a split in evaluation mode, and their metrics."""
    outputs_NK = evaluate_model(run, split, epoch)
    loss, accuracy = fetch(sum_outputs(run.loss, outputs_NK, split))[0][0]
    return outputs_NK, Metrics(loss, accuracy if run.classifies else None)


@torch.no_grad()
def evaluate_model(run: Run, split: Split, epoch: int) -> Tensor:
    """Return the model's outputs [N, K] on a split in evaluation mode; does not wait for the device."""
    run.model.eval()
    # A user's module may also drop values in evaluation.
    use_generator(run.model, rng.generator(run.seeds.dropout, "evaluate", epoch, run.device))
    slices = closing(split.slices(evaluation_batch(run.data.input_shape)))
    with rng.global_state(run.seeds.dropout, "evaluate", epoch, run.device), slices as pairs:
        outputs = (run.execution.outputs(run.model, inputs) for inputs, _ in pairs)
        return join_outputs(outputs, len(split))


@torch.no_grad()
def sum_outputs(loss: Loss, outputs: Tensor, split: Split) -> Sums:
    """Return the sums of outputs on a split, [N, K] of one run or [R, N, K] of several with this loss."""
    labels = split.labels
    if outputs.dim() == 3:
        labels = labels.expand(len(outputs), *labels.shape).flatten(0, 1)
    flat = outputs.flatten(0, -2)
    parts = loss.per_sample(flat, labels), loss.correct(flat, labels)
    return sums(*(part.view(outputs.shape[:-1]) for part in parts))


@torch.no_grad()
def evaluate_for_probe(run: Run, split: Split, epoch: int) -> tuple[Tensor, Metrics]:
    """Evaluate, then restore the buffers, because a user's module may write to them."""
    saved = {name: buffer.clone() for name, buffer in run.model.named_buffers()}
    evaluated = evaluate(run, split, epoch)
    for name, buffer in run.model.named_buffers():
        if name in saved:
            buffer.copy_(saved[name])
    return evaluated


@dataclass(frozen=True)
class CheckpointScore:
    """The metrics of a checkpoint from the end of `epoch`, on a split of so many `samples`."""

    samples: int
    epoch: int
    loss: float
    accuracy: float | None
    metrics: Mapping[str, float | None]  # by name


def evaluate_checkpoint(run: Run, folder: Path, result: Result, split: str) -> CheckpointScore:
    """Load the checkpoint in `folder` into `run`, built from the same settings, and evaluate it on `split`.

    Raises RequestError if the validation accuracy, computed again, differs from the recorded one, or if the
    checkpoint or the split does not exist.
    """
    data = getattr(run.data, split)
    if len(data) == 0:
        raise RequestError(f"{folder}: its data has no {split} split (data.{split}_size)")
    epoch = load_weights(run, folder, result)
    outputs_NK, (loss, accuracy) = evaluate(run, data, epoch)
    (metrics,) = measure([run.metrics], {"": [Outputs(outputs_NK, data.labels)]})
    return CheckpointScore(len(data), epoch, loss, accuracy, metrics)


def load_weights(run: Run, folder: Path, result: Result) -> int:
    """Load the checkpoint in `folder` into `run`, built from the same settings; return its epoch.

    Raises RequestError as `evaluate_checkpoint` does.
    """
    if result.checkpoint_sha256 is None:
        raise RequestError(f"{folder}: has no checkpoint{why_no_checkpoint(result.config)}")
    try:
        checkpoint = read_checkpoint(folder, result.checkpoint_sha256, _largest_checkpoint(run))
        run.model.load_state_dict(checkpoint["model"])
    except FileNotFoundError as error:
        raise RequestError(f"{error.filename} no longer exists; rerun=true trains the run again") from error
    except ValueError as error:  # the file is damaged
        raise RequestError(str(error)) from error
    except (RuntimeError, KeyError, TypeError) as error:  # its weights do not fit the model
        raise RequestError(f"{folder}: {' '.join(str(error).split())}") from error
    epoch = int(checkpoint["epoch"])
    _check_same_accuracy(run, folder, result, epoch)
    return epoch


def _largest_checkpoint(run: Run) -> int:
    """Return the bytes that a checkpoint of this model may have: L-BFGS keeps 200 copies of the weights."""
    return LEAST_CHECKPOINT + COPIES * sum(int(value.nbytes) for value in run.model.state_dict().values())


def _check_same_accuracy(run: Run, folder: Path, result: Result, epoch: int) -> None:
    row = next((row for row in (result.best, result.last) if row.get("epoch") == epoch), None)
    if row is None:
        raise RequestError(f"{folder}: its checkpoint is of epoch {epoch}, of which result.json says nothing")
    recorded = row.get("val_accuracy")
    accuracy = evaluate(run, run.data.val, epoch)[1].accuracy
    if recorded is not None and accuracy is not None and abs(accuracy - recorded) > SAME_ACCURACY:
        raise RequestError(
            f"{folder}: the rebuilt model's validation accuracy is {accuracy:.4f}, but {recorded:.4f} was "
            "recorded; the data or the model's code has changed (rerun=true trains the run again)"
        )
