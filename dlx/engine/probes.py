"""The probes of a run: what is recorded of the model's inside while it trains.

An engine calls them at four points: `watch` around an epoch's steps and around its validation,
`after_backward` in each step, `epoch_end` after validation. No probe changes a run's numbers: they draw
nothing from the run's generators, and read what has been computed or evaluate again.

Axes: N samples of a split, B samples of a batch, K outputs.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dlx.data.dataset import Dataset, Split
from dlx.device import accumulator
from dlx.engine.layer_probe import LayerProbe, Phase
from dlx.engine.metrics import DeviceScalars, Metrics
from dlx.engine.model_summary import OnOutput
from dlx.loss.losses import Loss
from dlx.run.probes import CLASSES, GRADIENTS, LAYERS, STEPS

Rows = Sequence[Sequence[object]]
Evaluate = Callable[[Split], tuple[Tensor, Metrics]]  # outputs [N, K] and metrics, in evaluation mode


@dataclass(frozen=True)
class ProbeResults:
    """What the probes recorded in one epoch."""

    columns: Mapping[str, float | None] = field(default_factory=dict)  # further columns of the history
    tables: Mapping[str, Rows] = field(default_factory=dict)  # rows by file name, see run/probes.py
    train_outputs_NK: Tensor | None = None  # only in the epochs whose logits were asked for


class GradientProbe:
    """Mean |gradient| of each parameter over an epoch's steps, and mean |weight| at its end.

    The gradients are those of the reduced loss, read from `.grad`.
    """

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self._parameters = dict(parameters)
        self._gradients = {name: DeviceScalars() for name in parameters}

    def step(self) -> None:
        """Record one step's gradients. A parameter without a gradient is left out of its mean."""
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                self._gradients[name].add(_absolute_sum(parameter.grad))

    def rows(self, epoch: int) -> Rows:
        """Return rows of gradients.csv for the steps since the last call; without steps, no gradient."""
        weights = DeviceScalars()
        weights.add(*(_absolute_sum(parameter.detach()) for parameter in self._parameters.values()))
        rows: list[Sequence[object]] = []
        for (name, parameter), weight in zip(self._parameters.items(), weights.take(), strict=True):
            sums, count = self._gradients[name].take(), max(parameter.numel(), 1)
            gradient = sum(sums) / len(sums) / count if sums else None
            rows.append((epoch, name, gradient, weight / count))
        return rows


def _absolute_sum(values: Tensor) -> Tensor:
    """Sum |values|; for 784 x 128 weights on a CPU, torch's 1-norm takes three times as long."""
    return (values.to_dense() if values.layout != torch.strided else values).abs().sum()


class StepProbe:
    """The mean loss per sample of each step's batch."""

    def __init__(self) -> None:
        self._sums = DeviceScalars()
        self._samples: list[int] = []
        self._steps = 0

    def step(self, loss_sum: Tensor, samples: int) -> None:
        """Record one step: the sum [] of its samples' losses."""
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
    images: int = 0  # how many; written before training, see probe_files.py

    @property
    def in_steps(self) -> bool:
        """Whether `after_backward` has anything to do."""
        return self.gradients is not None or self.steps is not None

    def watch(self, phase: Phase, model: nn.Module) -> AbstractContextManager[None]:
        """Return the context in which to train an epoch or to evaluate the validation split."""
        return nullcontext() if self.layers is None else self.layers.watch(phase, model)

    def on_output(self, phase: Phase) -> OnOutput | None:
        """Return what to call with each layer's output, for an engine that watches a stack of models."""
        return None if self.layers is None else self.layers.on_output(phase)

    def after_backward(self, losses_B: Tensor) -> None:
        """Record a step between backward pass and optimizer step; `losses_B` are detached."""
        if self.gradients is not None:
            self.gradients.step()
        if self.steps is not None:
            self.steps.step(losses_B.sum(dtype=accumulator(losses_B.device)), len(losses_B))

    def epoch_end(
        self, epoch: int, data: Dataset, loss: Loss, val_outputs_NK: Tensor, evaluate: Evaluate
    ) -> ProbeResults:
        """Return what was recorded since the last call; `evaluate` must leave the model unchanged."""
        tables: dict[str, Rows] = {}
        columns: dict[str, float | None] = {}
        if self.layers is not None:
            tables[LAYERS] = self.layers.rows(epoch)
        if self.gradients is not None:
            tables[GRADIENTS] = self.gradients.rows(epoch)
        if self.steps is not None:
            tables[STEPS] = self.steps.rows()
        if self.classes:
            tables[CLASSES] = _class_rows(epoch, data, loss, val_outputs_NK)
        if self.train_sample is not None:
            _, (columns["train_end_loss"], columns["train_end_accuracy"]) = evaluate(self.train_sample)
        outputs_NK = evaluate(data.train)[0] if epoch in self.logits else None
        return ProbeResults(columns, tables, outputs_NK)


def _class_rows(epoch: int, data: Dataset, loss: Loss, val_outputs_NK: Tensor) -> Rows:
    """Return rows of classes.csv; a class without validation samples has an empty accuracy."""
    labels_N, classes = data.val.labels, len(data.classes)
    correct_N = loss.correct(val_outputs_NK, labels_N)
    samples = torch.bincount(labels_N, minlength=classes).tolist()
    correct = torch.bincount(labels_N[correct_N], minlength=classes).tolist()
    return [
        (epoch, name, count, hits / count if count else None)
        for name, count, hits in zip(data.classes, samples, correct, strict=True)
    ]
