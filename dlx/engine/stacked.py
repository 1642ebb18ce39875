"""Trains several runs at once: one forward and backward pass for all, then each run's own optimizer step.

Every draw (order, augmentation, dropout) comes from the run's own generators, so each run sees the batches,
masks and noise that it would see alone. Axes: R runs, N samples, B of a batch, K outputs.
"""

import copy
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from dlx import rng
from dlx.augment.transforms import all_transforms
from dlx.device import Timer
from dlx.engine.cuda_graph import as_graphs
from dlx.engine.evaluation import evaluation_batch, join_outputs, sum_outputs
from dlx.engine.loop import batches, draw_order, epoch_end, set_learning_rates, sizes, validate
from dlx.engine.metrics import EpochMetrics, Metrics, Sums, fetch
from dlx.engine.passes import Autograd, Passes, Trial, fastest_passes
from dlx.engine.run import EpochEnd, Position, Run, nothing
from dlx.engine.signature import signature
from dlx.engine.stacked_by_layers import LayerStack, why_not_layers
from dlx.engine.stacked_by_vmap import VmapStack
from dlx.engine.stacked_model import StackedModel
from dlx.engine.stacked_optimizers import StackedOptimizers, joint_step_key
from dlx.loss.losses import Loss
from dlx.model.models import drops

# Runs whose batches have up to this many bytes are augmented together. For 8 runs with 100 kB each, on two
# busy cores, noise, shifts and flips took 200 us a run-step together and 80 one by one.
JOINT_BYTES = 1 << 15


def cohort_key(run: Run) -> tuple[object, ...]:
    """Return what must be equal for runs to train as a stack.

    Raises UnstackableError if their models cannot be compared. `check_stack` says whether the stack is right.
    """
    sizes = (len(run.data.train), run.batch_size, run.epochs, run.drop_last)
    return (signature(run.model), run.data.input_shape, *sizes, str(run.device), run.execution)


def is_of_layers(run: Run) -> bool:
    """Return whether a stack of runs like this one is made of dlx's own layers, rather than by vmap."""
    return not why_not_layers(run.model, run.data.input_shape)


def stack_models(models: Sequence[nn.Module], input_shape: tuple[int, ...]) -> StackedModel:
    """Stack models of one `signature` for samples of this shape."""
    assert len({signature(model) for model in models}) == 1, "only models of one structure can be stacked"
    return VmapStack(models) if why_not_layers(models[0], input_shape) else LayerStack(models)


def train(
    runs: Sequence[Run],
    active: set[int],
    starts: Sequence[Position | None] = (),
    before_step: Callable[[], None] = nothing,
) -> Iterator[dict[int, EpochEnd]]:
    """Train runs of one `cohort_key`; yield before the first epoch and after each, by index in `runs`.

    The caller removes from `active` the runs that should stop (diverged, out of patience); the others go on.
    A run's `time` is its share: each epoch's seconds, divided by the number of runs active in it.

    `starts`: where the runs go on, all after the same epoch, with weights and optimizers as they were then.
    `before_step` may raise to leave training.
    """
    timer, before = Timer(runs[0].device), 0.0
    seconds = dict.fromkeys(active, 0.0)
    first, step = 0, 0
    for index, start in enumerate(starts):
        if start is not None:
            seconds[index], first, step = start.seconds, start.epoch + 1, start.step
    stack: _Stack | None = None
    for epoch in range(first, runs[0].epochs + 1):
        if stack is None or set(stack.indices) != active:
            if stack is not None:
                stack.optimizers.restore_states()
            if not active:
                return
            stack = _Stack(runs, active)
        sums: list[Sums] = []
        if epoch > 0:
            step, *sums = _train_epoch(stack, epoch, step, before_step)
        outputs, validation_sums = zip(*_validate(stack, epoch), strict=True)
        fetched = fetch(*sums, *validation_sums)
        training: Sequence[Metrics | None] = fetched.pop(0) if sums else [None] * len(stack.runs)
        now = timer.seconds()
        for index in stack.indices:
            seconds[index] += (now - before) / len(stack.runs)
        before = now
        rows = zip(stack.indices, stack.runs, training, outputs, fetched, strict=True)
        yield {
            index: replace(
                epoch_end(run, epoch, step, trained, outputs_NK, validation, seconds[index]),
                settle=stack.optimizers.restore_states,
            )
            for index, run, trained, outputs_NK, (validation,) in rows
        }


class _Stack:
    """The active runs as one model; row r is `runs[r]`, at `indices[r]` in the list of all runs."""

    def __init__(self, runs: Sequence[Run], active: set[int]) -> None:
        keys = {index: _joint_step_key(runs[index]) for index in sorted(active)}
        first = {key: index for index, key in reversed(keys.items())}
        # Runs that step together become neighbours, in the order of the first of them.
        self.indices = sorted(keys, key=lambda index: (first[keys[index]], index))
        self.runs = [runs[index] for index in self.indices]
        self.model = stack_models([run.model for run in self.runs], runs[0].data.input_shape)
        self.optimizers = StackedOptimizers(
            self.model, [run.optimizers for run in self.runs], [keys[index] for index in self.indices]
        )
        self.losses = _rows_by_loss(self.runs)
        self.passes = self._passes()
        self.drops = any(drops(run.model) for run in self.runs)
        self.dropout_draws = [rng.generator(run.seeds.dropout, "dropout", 0, run.device) for run in self.runs]
        self.take_step = as_graphs(
            partial(_step, self), self.runs, self.optimizers.stepping, self.dropout_draws
        )
        self.transforms = _rows_by_transform(self.runs)
        self.probed = [(row, run) for row, run in enumerate(self.runs) if run.probes.in_steps]

    def _passes(self) -> Passes:
        run = self.runs[0]
        watched = any(run.probes.layers is not None for run in self.runs)
        kept = run.device.type == "cpu" and run.execution.is_plain and not watched
        if not kept or not isinstance(self.model, LayerStack):
            return Autograd(run.execution.forward(self.model), self._gradient)
        two = LayerStack([copy.deepcopy(run.model) for _ in range(2)])  # they tell of all, in less memory
        two.use_generators([rng.generator(row, "try") for row in range(2)])
        samples = [run.data.train.slice(0, size) for size in sizes(run)]
        batches = [(x.expand(2, *x.shape), labels_B.expand(2, -1)) for x, labels_B in samples]
        return fastest_passes(self.model.body, self._gradient, Trial(two.body, run.loss, batches))

    def _gradient(self, outputs_RBK: Tensor, labels_RB: Tensor) -> tuple[Tensor, Tensor]:
        """Return each run's losses [R, B] and the gradients by its outputs [R, B, K]."""
        if len(self.losses) == 1:
            return self.losses[0][0].gradient(outputs_RBK, labels_RB)
        losses_RB, gradient_RBK = outputs_RBK.new_empty(labels_RB.shape), torch.empty_like(outputs_RBK)
        for loss, _, rows in self.losses:
            losses_RB[rows], gradient_RBK[rows] = loss.gradient(outputs_RBK[rows], labels_RB[rows])
        return losses_RB, gradient_RBK

    def correct(self, outputs_RNK: Tensor, labels_RN: Tensor) -> Tensor:
        """Return which outputs are correct by their run's loss, [R, N]."""
        correct_RN = torch.empty(labels_RN.shape, device=labels_RN.device, dtype=torch.bool)
        for loss, _, rows in self.losses:
            flat = loss.correct(outputs_RNK[rows].flatten(0, 1), labels_RN[rows].flatten())
            correct_RN[rows] = flat.view(labels_RN[rows].shape)
        return correct_RN


def _joint_step_key(run: Run) -> Hashable:
    """Return what must be equal for runs to step together."""
    key = joint_step_key(run.optimizers)
    reads_gradients = run.probes.gradients is not None  # they are in the run's `.grad` only if it steps alone
    return ("alone", id(run)) if key is None or reads_gradients else (run.schedule, key)


def _train_epoch(stack: _Stack, epoch: int, step: int, before_step: Callable[[], None]) -> tuple[int, Sums]:
    runs = stack.runs
    augment_draws = [
        None if run.augment is None else rng.generator(run.seeds.augment, "augment", epoch, run.device)
        for run in runs
    ]
    if stack.drops:
        for run, draws in zip(runs, stack.dropout_draws, strict=True):
            rng.reseed(draws, run.seeds.dropout, "dropout", epoch)
        stack.model.use_generators(stack.dropout_draws)
    metrics = EpochMetrics(stack.correct)
    stack.model.train()
    gathered = closing(_gather(runs, epoch))
    with stack.model.watch([run.probes.on_output("training") for run in runs]), gathered as pairs:
        for x, labels_RB in pairs:
            before_step()
            for row in stack.optimizers.first_rows:
                set_learning_rates(runs[row], runs[row].schedule(step))
            stack.optimizers.set_learning_rates()
            metrics.add(*stack.take_step(_augment(stack, x, augment_draws), labels_RB), labels_RB)
            step += 1
    for run in runs:
        set_learning_rates(run, run.schedule(step - 1))
    return step, metrics.sums()


def _step(stack: _Stack, x: Tensor, labels_RB: Tensor) -> tuple[Tensor, Tensor]:
    """Take one step of every run; return its detached losses [R, B] and outputs [R, B, K]."""
    outputs_RBK, losses_RB = stack.passes(x, labels_RB)
    stack.optimizers.take_gradients()
    for row, run in stack.probed:
        run.probes.after_backward(losses_RB[row])
    stack.optimizers.step()
    return losses_RB, outputs_RBK


@torch.no_grad()
def _validate(stack: _Stack, epoch: int) -> list[tuple[Tensor, Sums]]:
    """Return every run's outputs on validation and their sums; runs with the same split share one pass."""
    runs, split = stack.runs, stack.runs[0].data.val
    if not stack.model.evaluates or not all(run.data.val is split for run in runs):
        return [validate(run, epoch) for run in runs]
    stack.model.eval()
    slices = closing(split.slices(max(1, evaluation_batch(runs[0].data.input_shape) // len(runs))))
    with stack.model.watch([run.probes.on_output("validation") for run in runs]), slices as pairs:
        whole = (inputs.expand(len(runs), *inputs.shape) for inputs, _ in pairs)
        parts = (runs[0].execution.outputs(stack.model, inputs) for inputs in whole)
        outputs_RNK = join_outputs(parts, len(split), axis=1)
    by_row: dict[int, Sums] = {}
    for loss, rows, index in stack.losses:
        losses, correct, samples = sum_outputs(loss, outputs_RNK[index], split)
        by_row |= {row: Sums(losses[i], correct[i], samples) for i, row in enumerate(rows)}
    return [(outputs_NK, by_row[row]) for row, outputs_NK in enumerate(outputs_RNK)]


def _gather(runs: Sequence[Run], epoch: int) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Yield inputs [R, B, ...] and labels [R, B] by step; runs with the same split are gathered at once."""
    train, orders = runs[0].data.train, torch.stack([draw_order(run, epoch) for run in runs])
    orders = orders.to(train.index_device)  # one copy for all runs
    if all(run.data.train is train for run in runs):
        indices = (index_RB.flatten() for index_RB in batches(runs[0], orders))
        for inputs, labels in train.batches(indices):
            labels_RB = labels.view(len(runs), -1)
            yield inputs.view(*labels_RB.shape, *inputs.shape[1:]), labels_RB
        return
    each = [run.data.train.batches(batches(run, order_N)) for run, order_N in zip(runs, orders, strict=True)]
    for pairs in zip(*each, strict=True):
        yield torch.stack([inputs for inputs, _ in pairs]), torch.stack([labels for _, labels in pairs])


def _augment(stack: _Stack, x: Tensor, generators: Sequence[torch.Generator | None]) -> Tensor:
    """Draw for each run as it would alone, and apply each transform at once to all runs that have it.

    Large batches on a CPU are augmented run by run, so that a batch stays in the core's cache from one
    transform to the next. `x` [R, B, ...] may be overwritten.
    """
    if x.device.type == "cpu" and x[0].nbytes > JOINT_BYTES:
        for row, (run, generator) in enumerate(zip(stack.runs, generators, strict=True)):
            if run.augment is not None and generator is not None:
                x[row] = run.augment(x[row], generator)
        return x
    draws = [
        run.augment.draw(generator, x.shape[1:]) if run.augment is not None and generator is not None else {}
        for run, generator in zip(stack.runs, generators, strict=True)
    ]
    for name, rows, rows_R in stack.transforms:
        images = (x if len(rows) == len(x) else x.index_select(0, rows_R)).flatten(0, 1)
        changed = all_transforms()[name].apply(images, torch.cat([draws[row][name] for row in rows]))
        changed = changed.view(len(rows), *x.shape[1:])
        x = changed if len(rows) == len(x) else x.index_copy_(0, rows_R, changed)
    return x


def _rows_by_transform(runs: Sequence[Run]) -> list[tuple[str, list[int], Tensor]]:
    """Return the transforms in use, in order, each with the rows that have it, as a list and as a tensor."""
    by_name = {
        name: [row for row, run in enumerate(runs) if run.augment and name in run.augment.transforms]
        for name in all_transforms()
    }
    return [(name, rows, torch.tensor(rows, device=runs[0].device)) for name, rows in by_name.items() if rows]


def _rows_by_loss(runs: Sequence[Run]) -> list[tuple[Loss, list[int], Tensor | slice]]:
    """Return the different losses, each with the rows of the runs that have it, and an index to them.

    The index is on the device: a list would be copied there in every step.
    """
    by_loss: dict[Loss, list[int]] = {}
    for row, run in enumerate(runs):
        by_loss.setdefault(run.loss, []).append(row)
    if len(by_loss) == 1:
        return [(loss, rows, slice(None)) for loss, rows in by_loss.items()]
    return [(loss, rows, torch.tensor(rows, device=runs[0].device)) for loss, rows in by_loss.items()]
