"""Trains one run, step by step: any nn.Module with any torch.optim optimizers.

The data is on the device or read ahead from the disk, and results stay on the device until the epoch ends. So
no step waits for the device.
Axes: N samples, B of a batch, K outputs.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import torch
from torch import Tensor

from dlx import rng
from dlx.device import Timer
from dlx.engine.evaluation import evaluate, evaluate_for_probe
from dlx.engine.metrics import EpochMetrics, Metrics
from dlx.engine.passes import Autograd, Passes, Trial, fastest_passes
from dlx.engine.run import EpochEnd, Position, Run, nothing
from dlx.model.models import use_generator
from dlx.run.history import EpochRow


def train(
    run: Run, start: Position | None = None, before_step: Callable[[], None] = nothing
) -> Iterator[EpochEnd]:
    """Train `run`, yielding before the first epoch and after each one; stop iterating to stop training.

    `start`: where the run goes on, with weights and optimizers as they were then; None: at the beginning.
    `before_step` may raise to leave training.
    """
    timer = Timer(run.device, start.seconds if start else 0.0)
    step, training, passes = start.step if start else 0, None, _passes(run)
    for epoch in range(start.epoch + 1 if start else 0, run.epochs + 1):
        if epoch > 0:
            step, training = _train_epoch(run, passes, epoch, step, before_step)
        yield epoch_end(run, epoch, step, training, *validate(run, epoch), timer.seconds())


def _train_epoch(
    run: Run, passes: Passes, epoch: int, step: int, before_step: Callable[[], None]
) -> tuple[int, Metrics]:
    augment_draws = rng.generator(run.seeds.augment, "augment", epoch, run.device)
    use_generator(run.model, rng.generator(run.seeds.dropout, "dropout", epoch, run.device))
    metrics = EpochMetrics(run.loss.correct)
    run.model.train()
    # A user's module may draw from torch's global generator, which is therefore seeded from the run's seed.
    global_draws = rng.global_state(run.seeds.dropout, "module", epoch, run.device)
    gathered = closing(run.data.train.batches(batches(run, sample_order(run, epoch))))
    with global_draws, run.probes.watch("training", run.model), gathered as pairs:
        for inputs, labels_B in pairs:
            before_step()
            set_learning_rates(run, run.schedule(step))
            _step(run, passes, inputs, labels_B, augment_draws, metrics)
            step += 1
    return step, metrics.means()[0]


def _step(
    run: Run,
    passes: Passes,
    inputs: Tensor,
    labels_B: Tensor,
    augment_draws: torch.Generator,
    metrics: EpochMetrics,
) -> None:
    if run.augment is not None:
        inputs = run.augment(inputs, augment_draws)
    outputs_BK, losses_B = passes(inputs, labels_B)
    run.probes.after_backward(losses_B)
    for optimizer in run.optimizers:
        optimizer.step()
    _clear_gradients(run)
    metrics.add(losses_B, outputs_BK, labels_B)


def _passes(run: Run) -> Passes:
    if run.device.type != "cpu" or run.probes.layers is not None:  # a probe watches each layer's forward
        return Autograd(run.model, run.loss.gradient)
    use_generator(run.model, rng.generator(run.seeds.dropout, "try", device=run.device))
    first = [run.data.train.slice(0, size) for size in sizes(run)]
    return fastest_passes(run.model, run.loss.gradient, Trial(run.model, run.loss, first))


def _clear_gradients(run: Run) -> None:
    """Do as `zero_grad` does, in a tenth of its time."""
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


def set_learning_rates(run: Run, factor: float) -> None:
    """Set every learning rate to `factor` times its initial value."""
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


def sample_order(run: Run, epoch: int) -> Tensor:
    """Return the epoch's order of samples [N]; drawn on the CPU, so it is the same on every device."""
    samples = len(run.data.train)
    if not run.shuffle:
        return torch.arange(samples, device=run.data.train.index_device)
    draws = rng.generator(run.seeds.order, "order", epoch)
    return torch.randperm(samples, generator=draws).to(run.data.train.index_device)


def batches(run: Run, order: Tensor) -> Iterator[Tensor]:
    """Yield the indices of each batch, [..., B], from an order of samples, [..., N]."""
    for index in torch.split(order, run.batch_size, dim=-1):
        if not run.drop_last or index.shape[-1] == run.batch_size:
            yield index


def sizes(run: Run) -> list[int]:
    """Return the different sizes of an epoch's batches."""
    return sorted({len(index) for index in batches(run, torch.arange(len(run.data.train)))})


def validate(run: Run, epoch: int) -> tuple[Tensor, Metrics]:
    """Return the outputs [N, K] on the validation split after an epoch, and their metrics."""
    with run.probes.watch("validation", run.model):
        return evaluate(run, run.data.val, epoch)


def epoch_end(
    run: Run,
    epoch: int,
    step: int,
    training: Metrics | None,
    outputs_NK: Tensor,
    validation: Metrics,
    seconds: float,
) -> EpochEnd:
    """Report an epoch; `training` is None before the first, and `outputs_NK` are those on validation."""
    row = EpochRow(
        epoch=epoch,
        step=step,
        time=round(seconds, 6),
        lr=float(run.optimizers[0].param_groups[0]["lr"]) if training else None,
        train_loss=training.loss if training else None,
        train_accuracy=training.accuracy if training and run.loss.classifies else None,
        val_loss=validation.loss,
        val_accuracy=validation.accuracy,
    )
    evaluate_split = partial(evaluate_for_probe, run, epoch=epoch)
    observed = run.probes.epoch_end(epoch, run.data, run.loss, outputs_NK, evaluate_split)
    measured = run.loss.measures(outputs_NK, run.data.val.labels)
    return EpochEnd(row, outputs_NK, {**measured, **observed.columns}, observed)
