"""Trains one run, step by step: any nn.Module, any torch.optim optimizer.

Batches are index slices of tensors that live on the device, and results stay there until the epoch ends:
no step waits for the device. Axes: N samples, B of a batch, K outputs.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from dlx import rng
from dlx.data.dataset import Split
from dlx.device import Timer, accumulator
from dlx.engine.run import EpochEnd, Run
from dlx.engine.tally import Means, Tally
from dlx.model.models import use_generator
from dlx.run.history import Row

# Outputs [N, K], mean loss, accuracy (None where the loss knows no right answer).
Validation = tuple[Tensor, float, float | None]

EVALUATION_BATCH = 1000  # fits the memory that any model here needs to train, and amortises the calls


def train(run: Run) -> Iterator[EpochEnd]:
    """Train `run`, yielding before the first epoch and after each one; stop iterating to stop training."""
    timer = Timer(run.device)
    step, training = 0, None
    for epoch in range(run.epochs + 1):
        if epoch > 0:
            step, training = _train_epoch(run, epoch, step)
        with run.probes.watch("validation", run.model):
            validation = evaluate(run, run.data.val, epoch)
        yield epoch_end(run, epoch, step, training, validation, timer.seconds())


def _train_epoch(run: Run, epoch: int, step: int) -> tuple[int, Means]:
    order_N = order(run, epoch)
    augment_draws = rng.generator(run.seeds.augment, "augment", epoch, run.device)
    use_generator(run.model, rng.generator(run.seeds.dropout, "dropout", epoch, run.device))
    tally = Tally()
    run.model.train()
    # A user's own module may draw from torch's global state; lend it one that follows from the seed.
    draws = rng.global_state(run.seeds.dropout, "module", epoch, run.device)
    with draws, run.probes.watch("training", run.model):
        for start in range(0, len(order_N), run.batch_size):
            index_B = order_N[start : start + run.batch_size]
            if run.drop_last and len(index_B) < run.batch_size:
                break
            set_learning_rates(run, run.schedule(step))
            _step(run, index_B, augment_draws, tally)
            step += 1
    return step, tally.means()[0]


def set_learning_rates(run: Run, factor: float) -> None:
    """Set every learning rate to `factor` times the one it was built with."""
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


def _step(run: Run, index_B: Tensor, augment_draws: torch.Generator, tally: Tally) -> None:
    inputs, labels_B = run.data.train.batch(index_B)
    if run.augment is not None:
        inputs = run.augment(inputs, augment_draws)
    outputs_BK = run.model(inputs)
    losses_B = run.loss.per_sample(outputs_BK, labels_B)
    run.loss.reduce(losses_B).backward()  # type: ignore[no-untyped-call]
    run.probes.after_backward(losses_B.detach())
    for optimizer in run.optimizers:
        optimizer.step()
    clear_gradients(run)
    tally.add(losses_B.detach(), run.loss.correct(outputs_BK.detach(), labels_B))


def clear_gradients(run: Run) -> None:
    """Forget the gradients of every parameter that is stepped: a tenth of the time of `zero_grad`."""
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


def epoch_end(
    run: Run, epoch: int, step: int, training: Means | None, validation: Validation, seconds: float
) -> EpochEnd:
    """Return what is reported of an epoch: of its training (None before the first) and its validation.

    `seconds` since training began.
    """
    outputs_NK, val_loss, val_accuracy = validation
    row = Row(
        epoch=epoch,
        step=step,
        time=round(seconds, 6),
        lr=float(run.optimizers[0].param_groups[0]["lr"]) if training else None,
        train_loss=training.loss if training else None,
        train_accuracy=training.accuracy if training and run.loss.classifies else None,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
    )
    evaluate_aside = partial(_evaluate_aside, run, epoch=epoch)
    observed = run.probes.epoch_end(epoch, run.data, run.loss, outputs_NK, evaluate_aside)
    measured = run.loss.measures(outputs_NK, run.data.val.labels)
    return EpochEnd(row, outputs_NK, {**measured, **observed.columns}, observed)


def order(run: Run, epoch: int) -> Tensor:
    """Return the epoch's order of samples [N]; drawn on the CPU, so that it is the same on any device."""
    samples = len(run.data.train)
    if not run.shuffle:
        return torch.arange(samples, device=run.device)
    draws = rng.generator(run.seeds.order, "order", epoch)
    return torch.randperm(samples, generator=draws).to(run.device)


@torch.no_grad()
def evaluate(run: Run, split: Split, epoch: int) -> Validation:
    """Return the model's outputs [N, K] on a split, their mean loss and their accuracy, if any."""
    run.model.eval()
    with rng.global_state(run.seeds.dropout, "evaluate", epoch, run.device):
        parts = [
            run.model(split.slice(start, start + EVALUATION_BATCH)[0])
            for start in range(0, len(split), EVALUATION_BATCH)
        ]
    return score(run, torch.cat(parts), split)


def score(run: Run, outputs_NK: Tensor, split: Split) -> Validation:
    """Return the outputs on a split with their mean loss and their accuracy, if any."""
    losses_N = run.loss.per_sample(outputs_NK, split.labels)
    mean_loss = float(losses_N.mean(dtype=accumulator(run.device)))
    if not run.loss.classifies:
        return outputs_NK, mean_loss, None
    return outputs_NK, mean_loss, int(run.loss.correct(outputs_NK, split.labels).sum()) / len(split)


@torch.no_grad()
def _evaluate_aside(run: Run, split: Split, epoch: int) -> Validation:
    """Evaluate for a probe: a user's module may write into its buffers, and gets them back as they were."""
    kept = {name: buffer.clone() for name, buffer in run.model.named_buffers()}
    result = evaluate(run, split, epoch)
    for name, buffer in run.model.named_buffers():
        if name in kept:
            buffer.copy_(kept[name])
    return result
