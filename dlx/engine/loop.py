"""Trains one run, step by step: any nn.Module with any torch.optim optimizers.

The data is on the device or read ahead from the disk, and results stay on the device until the epoch ends. So
no step waits for the device.
Axes: N samples, B of a batch, K outputs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from dlx import rng
from dlx.device import Timer
from dlx.engine.cuda_graph import Step, as_graphs
from dlx.engine.evaluation import evaluate_for_probe, evaluate_model, sum_outputs
from dlx.engine.metrics import EpochMetrics, Metrics, Outputs, Sums, fetch, measure
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
    step = start.step if start else 0
    dropout_draws = rng.generator(run.seeds.dropout, "dropout", 0, run.device)
    take_step = as_graphs(partial(_step, run, _passes(run)), [run], run.optimizers, [dropout_draws])
    for epoch in range(start.epoch + 1 if start else 0, run.epochs + 1):
        training: EpochMetrics | None = None
        if epoch > 0:
            rng.reseed(dropout_draws, run.seeds.dropout, "dropout", epoch)
            use_generator(run.model, dropout_draws)
            step, training = _train_epoch(run, take_step, epoch, step, before_step)
        outputs_NK, validation_sums = validate(run, epoch)
        *trained, validation = (
            each[0] for each in fetch(*([training.sums()] if training else []), validation_sums)
        )
        kept = [training.outputs()] if training and run.metrics else None
        (columns,) = measure(
            [run.metrics], {"train_": kept, "val_": [Outputs(outputs_NK, run.data.val.labels)]}
        )
        ended = Measured(trained[0] if trained else None, validation, columns)
        yield epoch_end(run, epoch, step, ended, outputs_NK, timer.seconds())


def _train_epoch(
    run: Run, take_step: Step, epoch: int, step: int, before_step: Callable[[], None]
) -> tuple[int, EpochMetrics]:
    augment_draws = rng.generator(run.seeds.augment, "augment", epoch, run.device)
    metrics = EpochMetrics(run.loss.correct, keep=bool(run.metrics))
    run.model.train()
    # A user's module may draw from torch's global generator, which is therefore seeded from the run's seed.
    global_draws = rng.global_state(run.seeds.dropout, "module", epoch, run.device)
    gathered = closing(run.data.train.batches(batches(run, sample_order(run, epoch))))
    with global_draws, run.probes.watch("training", run.model), gathered as pairs:
        for inputs, labels_B in pairs:
            before_step()
            set_learning_rates(run, run.schedule(step))
            augmented = inputs if run.augment is None else run.augment(inputs, augment_draws)
            metrics.add(*take_step(augmented, labels_B), labels_B)
            step += 1
    return step, metrics


def _step(run: Run, passes: Passes, inputs: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
    """Take a step; return its detached losses [B] and outputs [B, K]."""
    outputs_BK, losses_B = passes(inputs, labels_B)
    run.probes.after_backward(losses_B)
    if run.gradient_clip is not None:
        clip_gradients([p.grad for p in run.model.parameters() if p.grad is not None], run.gradient_clip)
    for optimizer in run.optimizers:
        optimizer.step()
    _clear_gradients(run)
    return losses_B, outputs_BK


def clip_gradients(gradients: Sequence[Tensor], largest: float) -> None:
    """Scale gradients in place, so that their norm as one vector is at most `largest` (Pascanu et al., 2013).

    This is torch.nn.utils.clip_grad_norm_, for gradients that need not be those of parameters.
    """
    scale = (largest / (torch.nn.utils.get_total_norm(gradients) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)


def _passes(run: Run) -> Passes:
    # A probe watches each layer's forward.
    if run.device.type != "cpu" or run.probes.layers is not None or not run.execution.is_plain:
        return Autograd(run.execution.forward(run.model), run.loss.gradient)
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
    """Return the epoch's order of samples [N], where the data is indexed."""
    return draw_order(run, epoch).to(run.data.train.index_device)


def draw_order(run: Run, epoch: int) -> Tensor:
    """Return the epoch's order of samples [N], on the CPU, so that it is the same for every device."""
    samples = len(run.data.train)
    if not run.shuffle:
        return torch.arange(samples)
    draws = rng.generator(run.seeds.order, "order", epoch)
    if run.sample_weights is None:
        return torch.randperm(samples, generator=draws)
    up_to_N = run.sample_weights.double().cumsum(0)  # torch.multinomial takes 16.7 million at most
    drawn_N = torch.rand(samples, generator=draws, dtype=torch.float64) * up_to_N[-1]
    return torch.searchsorted(up_to_N, drawn_N, right=True).clamp(max=samples - 1)


def batches(run: Run, order: Tensor) -> Iterator[Tensor]:
    """Yield the indices of each batch, [..., B], from an order of samples, [..., N]."""
    for index in torch.split(order, run.batch_size, dim=-1):
        if not run.drop_last or index.shape[-1] == run.batch_size:
            yield index


def sizes(run: Run) -> list[int]:
    """Return the different sizes of an epoch's batches."""
    return sorted({len(index) for index in batches(run, torch.arange(len(run.data.train)))})


def validate(run: Run, epoch: int) -> tuple[Tensor, Sums]:
    """Return the outputs [N, K] on the validation split after an epoch, and their sums on the device."""
    with run.probes.watch("validation", run.model):
        outputs_NK = evaluate_model(run, run.data.val, epoch)
    return outputs_NK, sum_outputs(run.loss, outputs_NK, run.data.val)


class Measured(NamedTuple):
    """What an epoch measured: `training` is None before the first; `columns` are the run's metrics."""

    training: Metrics | None
    validation: Metrics
    columns: Mapping[str, float | None]


def epoch_end(
    run: Run, epoch: int, step: int, measured: Measured, outputs_NK: Tensor, seconds: float
) -> EpochEnd:
    """Report an epoch; `outputs_NK` are those on validation."""
    training, validation, columns = measured
    row = EpochRow(
        epoch=epoch,
        step=step,
        time=round(seconds, 6),
        lr=float(run.optimizers[0].param_groups[0]["lr"]) if training else None,
        train_loss=training.loss if training else None,
        train_accuracy=training.accuracy if training and run.classifies else None,
        val_loss=validation.loss,
        val_accuracy=validation.accuracy if run.classifies else None,
    )
    evaluate_split = partial(evaluate_for_probe, run, epoch=epoch)
    observed = run.probes.epoch_end(epoch, run.data, run.loss, outputs_NK, evaluate_split)
    of_loss = run.loss.measures(outputs_NK, run.data.val.labels)
    return EpochEnd(row, outputs_NK, {**columns, **of_loss, **observed.columns}, observed)
