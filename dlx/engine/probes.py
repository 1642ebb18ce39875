"""The probes of a run: what is recorded of the net's inside while an engine trains it.

An engine calls them at four points: `watch` around an epoch's steps and around its validation,
`after_backward` in each step, `epoch_end` once the epoch is validated. None changes a number of the run:
a probe draws from no generator of the run's, and reads what has been computed or evaluates anew.

Axes: N samples of a split, K outputs.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dlx.data.dataset import Dataset, Split
from dlx.device import accumulator
from dlx.engine.gradient_probe import GradientProbe
from dlx.engine.layer_probe import LayerProbe, Phase
from dlx.engine.layers import See
from dlx.engine.scalars import Scalars
from dlx.loss.losses import Loss
from dlx.run.probes import CLASSES, GRADIENTS, LAYERS, STEPS

Rows = Sequence[Sequence[object]]
# Of a split: outputs [N, K], mean loss, accuracy, in evaluation mode.
Evaluate = Callable[[Split], tuple[Tensor, float, float | None]]


@dataclass(frozen=True)
class Observed:
    """What the probes saw in one epoch."""

    columns: Mapping[str, float | None] = field(default_factory=dict)  # of the history, beyond its own
    tables: Mapping[str, Rows] = field(default_factory=dict)  # rows by file, see run/probes.py
    train_outputs_NK: Tensor | None = None  # in the epochs whose logits are wanted


class StepProbe:
    """The mean loss per sample of each step's batch."""

    def __init__(self) -> None:
        self._sums = Scalars()
        self._samples: list[int] = []
        self._steps = 0

    def step(self, loss_sum: Tensor, samples: int) -> None:
        """Take note of a step: the sum [] of the losses of its samples."""
        self._sums.add(loss_sum)
        self._samples.append(samples)

    def rows(self) -> Rows:
        """Return rows of steps.csv for the steps since the last call."""
        losses = [total / n for total, n in zip(self._sums.take(), self._samples, strict=True)]
        first, self._steps, self._samples = self._steps + 1, self._steps + len(losses), []
        return list(enumerate(losses, start=first))


@dataclass(frozen=True)
class Probes:
    """The probes that are on; none by default."""

    layers: LayerProbe | None = None
    gradients: GradientProbe | None = None
    steps: StepProbe | None = None
    classes: bool = False
    logits: Collection[int] = ()  # epochs
    train_sample: Split | None = None
    images: int = 0  # how many; an engine has nothing to do for them, see sample_images.py

    @property
    def in_steps(self) -> bool:
        """Whether `after_backward` has anything to do."""
        return self.gradients is not None or self.steps is not None

    def watch(self, phase: Phase, model: nn.Module) -> AbstractContextManager[None]:
        """Return the context in which an epoch's steps are taken, or its validation split is evaluated."""
        return nullcontext() if self.layers is None else self.layers.watch(phase, model)

    def see(self, phase: Phase) -> See | None:
        """Return what wants to see the layers' outputs in this phase; for an engine that watches itself."""
        return None if self.layers is None else self.layers.see(phase)

    def after_backward(self, losses_B: Tensor) -> None:
        """Take note of a step whose gradients are there and whose optimizer has not stepped yet.

        `losses_B` are the batch's losses, detached.
        """
        if self.gradients is not None:
            self.gradients.step()
        if self.steps is not None:
            self.steps.step(losses_B.sum(dtype=accumulator(losses_B.device)), len(losses_B))

    def epoch_end(
        self, epoch: int, data: Dataset, loss: Loss, val_outputs_NK: Tensor, evaluate: Evaluate
    ) -> Observed:
        """Return what was seen since the last call; `evaluate` must leave the model as it finds it."""
        tables: dict[str, Rows] = {}
        columns: dict[str, float | None] = {}
        if self.layers is not None:
            tables[LAYERS] = self.layers.rows(epoch)
        if self.gradients is not None:
            tables[GRADIENTS] = self.gradients.rows(epoch)
        if self.steps is not None:
            tables[STEPS] = self.steps.rows()
        if self.classes:
            tables[CLASSES] = class_rows(epoch, data, loss, val_outputs_NK)
        if self.train_sample is not None:
            _, columns["train_end_loss"], columns["train_end_accuracy"] = evaluate(self.train_sample)
        outputs_NK = evaluate(data.train)[0] if epoch in self.logits else None
        return Observed(columns, tables, outputs_NK)


def class_rows(epoch: int, data: Dataset, loss: Loss, val_outputs_NK: Tensor) -> Rows:
    """Return rows of classes.csv; a class that validation has no sample of has an empty accuracy."""
    labels_N, classes = data.val.labels, len(data.classes)
    right_N = loss.correct(val_outputs_NK, labels_N)
    samples = torch.bincount(labels_N, minlength=classes).tolist()
    right = torch.bincount(labels_N[right_N], minlength=classes).tolist()
    return [
        (epoch, name, count, hits / count if count else None)
        for name, count, hits in zip(data.classes, samples, right, strict=True)
    ]
