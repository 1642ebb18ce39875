"""Trains several runs at once: one forward and backward pass for all, then each run's own optimizer steps.

Every draw (order, augmentation, dropout) comes from the run's own generators, so a run sees the batches,
masks and noise that it would see alone. Axes: R runs, N samples, B of a batch, K outputs.
"""

from collections.abc import Hashable, Iterator, Sequence

import torch
from torch import Tensor

from dlx import rng
from dlx.augment.pipeline import all_transforms
from dlx.device import Timer
from dlx.engine.joint_steps import JointSteps, likeness
from dlx.engine.loop import (
    EVALUATION_BATCH,
    Validation,
    epoch_end,
    evaluate,
    order,
    score,
    set_learning_rates,
)
from dlx.engine.run import EpochEnd, Run
from dlx.engine.stack import Stack, check_stackable, signature
from dlx.engine.tally import Means, Tally
from dlx.loss.losses import Loss

# Of a run's batch, up to which all runs' are augmented in one go. 100 kB each, noise, shifts and flips of 8
# runs on two busy cores: 200 us a run-step in one go, 80 alone.
JOINT_BYTES = 1 << 15


def cohort_key(run: Run) -> tuple[object, ...]:
    """Return what must be equal for runs to train as one; raises UnstackableError if this one cannot."""
    check_stackable(run.model)
    sizes = (len(run.data.train), run.batch_size, run.epochs, run.drop_last)
    return (signature(run.model), run.data.input_shape, *sizes, str(run.device))


def train(runs: Sequence[Run], active: set[int]) -> Iterator[dict[int, EpochEnd]]:
    """Train runs of one `cohort_key`, yielding before the first epoch and after each one, by place in `runs`.

    Whoever iterates takes out of `active` the runs that go no further (diverged, out of patience); the
    others go on without them. A run's `time` is its share of the time so far: an epoch's seconds, over the
    runs that were active in it.
    """
    timer, before, step = Timer(runs[0].device), 0.0, 0
    shares = dict.fromkeys(active, 0.0)
    cohort: _Cohort | None = None
    for epoch in range(runs[0].epochs + 1):
        if cohort is None or set(cohort.places) != active:
            if cohort is not None:
                cohort.steps.part()
            if not active:
                return
            cohort = _Cohort(runs, active)
        training: Sequence[Means | None] = [None] * len(cohort.runs)
        if epoch > 0:
            training, step = _train_epoch(cohort, epoch, step)
        validations = _validate(cohort, epoch)
        now = timer.seconds()
        for place in cohort.places:
            shares[place] += (now - before) / len(cohort.runs)
        before = now
        rows = zip(cohort.places, cohort.runs, training, validations, strict=True)
        yield {
            place: epoch_end(run, epoch, step, own, validation, shares[place])
            for place, run, own, validation in rows
        }


class _Cohort:
    """The active runs as one: `places[r]` and `runs[r]` belong to row r of `stack`."""

    def __init__(self, runs: Sequence[Run], active: set[int]) -> None:
        likenesses = {place: _likeness(runs[place]) for place in sorted(active)}
        first = {key: place for place, key in reversed(likenesses.items())}
        # Runs that may step together stand together, in the order of the first of them.
        self.places = sorted(likenesses, key=lambda place: (first[likenesses[place]], place))
        self.runs = [runs[place] for place in self.places]
        self.stack = Stack([run.model for run in self.runs])
        self.steps = JointSteps(
            self.stack,
            [run.optimizers for run in self.runs],
            [likenesses[place] for place in self.places],
        )
        self.losses = _by_loss(self.runs)
        self.transforms = _transforms(self.runs)
        self.observed = [(row, run) for row, run in enumerate(self.runs) if run.probes.in_steps]


def _likeness(run: Run) -> Hashable:
    """Return what is equal for runs whose steps may be taken as one."""
    alike = likeness(run.optimizers)
    reads_gradients = run.probes.gradients is not None  # each parameter's, which only an own step hands out
    return ("alone", id(run)) if alike is None or reads_gradients else (run.schedule, alike)


def _train_epoch(cohort: _Cohort, epoch: int, step: int) -> tuple[list[Means], int]:
    runs, first = cohort.runs, cohort.runs[0]
    order_RN = torch.stack([order(run, epoch) for run in runs])
    augment_draws = [rng.generator(run.seeds.augment, "augment", epoch, run.device) for run in runs]
    cohort.stack.use_generators(
        [rng.generator(run.seeds.dropout, "dropout", epoch, run.device) for run in runs]
    )
    tally = Tally()
    cohort.stack.train()
    with cohort.stack.watch([run.probes.see("training") for run in runs]):
        for start in range(0, order_RN.shape[1], first.batch_size):
            index_RB = order_RN[:, start : start + first.batch_size]
            if first.drop_last and index_RB.shape[1] < first.batch_size:
                break
            for run in runs:
                set_learning_rates(run, run.schedule(step))
            tally.add(*_step(cohort, index_RB, augment_draws))
            step += 1
    return tally.means(), step


def _step(
    cohort: _Cohort, index_RB: Tensor, augment_draws: Sequence[torch.Generator]
) -> tuple[Tensor, Tensor]:
    """Take one step of every run; return its losses [R, B], detached, and right answers [R, B]."""
    runs = cohort.runs
    x, labels_RB = _batches(runs, index_RB)
    x = _augment(cohort, x, augment_draws)
    outputs_RBK = cohort.stack(x)
    losses_RB = torch.empty(labels_RB.shape, device=x.device, dtype=outputs_RBK.dtype)
    right_RB = torch.empty(labels_RB.shape, device=x.device, dtype=torch.bool)
    total = outputs_RBK.new_zeros(())
    for loss, rows in cohort.losses:
        flat, labels = outputs_RBK[rows].flatten(0, 1), labels_RB[rows].flatten()
        part_RB = loss.per_sample(flat, labels).view(len(labels_RB[rows]), -1)
        # A run's reduced loss depends on its own parameters alone: the sum's gradient is each run's own.
        total = total + (part_RB.mean(1) if loss.reduction == "mean" else part_RB.sum(1)).sum()
        losses_RB[rows] = part_RB.detach()
        right_RB[rows] = loss.correct(flat.detach(), labels).view(part_RB.shape)
    total.backward()
    cohort.steps.hand_out_gradients()
    for row, run in cohort.observed:
        run.probes.after_backward(losses_RB[row])
    cohort.steps.step()
    return losses_RB, right_RB


@torch.no_grad()
def _validate(cohort: _Cohort, epoch: int) -> list[Validation]:
    """Validate every run: as one where all have the same split, which then goes through the stack once."""
    runs, split = cohort.runs, cohort.runs[0].data.val
    if not all(run.data.val is split for run in runs):
        return [_validate_alone(run, epoch) for run in runs]
    cohort.stack.eval()
    parts = []
    batch = max(1, EVALUATION_BATCH // len(runs))
    with cohort.stack.watch([run.probes.see("validation") for run in runs]):
        for start in range(0, len(split), batch):
            inputs, _ = split.slice(start, start + batch)
            parts.append(cohort.stack(inputs.expand(len(runs), *inputs.shape)))
    outputs_RNK = torch.cat(parts, 1)
    return [score(run, outputs_NK, split) for run, outputs_NK in zip(runs, outputs_RNK, strict=True)]


def _validate_alone(run: Run, epoch: int) -> Validation:
    with run.probes.watch("validation", run.model):
        return evaluate(run, run.data.val, epoch)


def _batches(runs: Sequence[Run], index_RB: Tensor) -> tuple[Tensor, Tensor]:
    """Return inputs [R, B, ...] and labels [R, B]; runs on one split are gathered in one go."""
    if all(run.data.train is runs[0].data.train for run in runs):
        inputs, labels = runs[0].data.train.batch(index_RB.flatten())
        return inputs.view(*index_RB.shape, *inputs.shape[1:]), labels.view(index_RB.shape)
    parts = [run.data.train.batch(index_B) for run, index_B in zip(runs, index_RB, strict=True)]
    return torch.stack([inputs for inputs, _ in parts]), torch.stack([labels for _, labels in parts])


def _augment(cohort: _Cohort, x: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw for each run as it would alone, and apply each transform to all runs that have it at once.

    On a CPU run by run where a batch is large: it then stays in the core's cache from transform to transform.
    `x` [R, B, ...] may be written into.
    """
    if x.device.type == "cpu" and x[0].nbytes > JOINT_BYTES:
        for row, (run, generator) in enumerate(zip(cohort.runs, generators, strict=True)):
            if run.augment is not None:
                x[row] = run.augment(x[row], generator)
        return x
    draws = [
        run.augment.draw(generator, x.shape[1:]) if run.augment is not None else {}
        for run, generator in zip(cohort.runs, generators, strict=True)
    ]
    for name, rows, rows_R in cohort.transforms:
        images = (x if len(rows) == len(x) else x.index_select(0, rows_R)).flatten(0, 1)
        changed = all_transforms()[name].apply(images, torch.cat([draws[row][name] for row in rows]))
        changed = changed.view(len(rows), *x.shape[1:])
        x = changed if len(rows) == len(x) else x.index_copy_(0, rows_R, changed)
    return x


def _transforms(runs: Sequence[Run]) -> list[tuple[str, list[int], Tensor]]:
    """Return each transform that a run has, in order, and the rows of those that have it, twice."""
    having = {
        name: [
            row for row, run in enumerate(runs) if run.augment is not None and name in run.augment.transforms
        ]
        for name in all_transforms()
    }
    return [(name, rows, torch.tensor(rows, device=runs[0].device)) for name, rows in having.items() if rows]


def _by_loss(runs: Sequence[Run]) -> list[tuple[Loss, list[int] | slice]]:
    """Return the different losses, each with the rows of the runs that have it; all rows as a slice."""
    groups: list[tuple[Loss, list[int]]] = []
    for row, run in enumerate(runs):
        rows = next((rows for loss, rows in groups if loss == run.loss), None)
        if rows is None:
            groups.append((run.loss, [row]))
        else:
            rows.append(row)
    return [(loss, slice(None) if len(rows) == len(runs) else rows) for loss, rows in groups]
