"""The probes of a run: they record layer outputs, gradients, step losses and more while a model trains.

An engine calls `watch` around an epoch's steps and around its validation, `after_backward` in each step, and
`epoch_end` after validation. No probe changes a run's numbers: probes draw nothing from its generators.

Axes: N samples of a split, B samples of a batch, K outputs.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from dlx.data.dataset import Dataset, Split
from dlx.device import accumulator
from dlx.engine.metrics import DeviceScalars, Metrics
from dlx.engine.model_summary import OnOutput, named_layers, watch_layers
from dlx.loss.losses import Loss
from dlx.run.probes import CLASSES, GRADIENTS, LAYERS, STEPS

Rows = Sequence[Sequence[object]]
Evaluate = Callable[[Split], tuple[Tensor, Metrics]]  # outputs [N, K] and metrics, in evaluation mode
Phase = Literal["training", "validation"]
PHASES: tuple[Phase, ...] = ("training", "validation")

# How many of a layer's values are gathered before they are measured. Measuring 4096 takes 12 us, nearly all
# of it the calls' overhead, and copying them 1.3 us; measuring 65536 takes 25 us and needs 256 KiB a layer.
GATHERED = 1 << 16


@dataclass(frozen=True)
class ProbeResults:
    """What the probes recorded in one epoch."""

    columns: Mapping[str, float | None] = field(default_factory=dict)  # further columns of the history
    tables: Mapping[str, Rows] = field(default_factory=dict)  # rows by file name, see run/probes.py
    train_outputs_NK: Tensor | None = None  # only in the epochs of probes.logits


@dataclass(frozen=True)
class Probes:
    """The probes that are on; none by default."""

    layers: "LayerProbe | None" = None
    gradients: "GradientProbe | None" = None
    steps: "StepProbe | None" = None
    classes: bool = False
    logits: Collection[int] = ()  # epochs
    train_sample: Split | None = None
    images: int = 0  # how many to write before training

    @property
    def in_steps(self) -> bool:
        """Whether `after_backward` has anything to do."""
        return self.gradients is not None or self.steps is not None

    def continue_after(self, step: int) -> None:
        """Go on after so many steps that an interrupted training has recorded."""
        if self.steps is not None:
            self.steps.continue_after(step)

    def watch(self, phase: Phase, model: nn.Module) -> AbstractContextManager[None]:
        """Return the context in which to train an epoch or to evaluate the validation split."""
        on_output = self.on_output(phase)
        return watch_layers(model, on_output) if on_output else nullcontext()

    def on_output(self, phase: Phase) -> OnOutput | None:
        """Return the function to call with each layer's name and output, or None if layers are not probed."""
        return self.layers.on_output(phase) if self.layers else None

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


class LayerProbe:
    """Statistics of all that a layer outputs in an epoch: every sample, every call, every feature."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = {name: type(module).__name__ for name, module in named_layers(model).items()}
        scratch = Scratch()
        self._moments = {(phase, name): Moments(scratch) for phase in PHASES for name in self._modules}

    def on_output(self, phase: Phase) -> OnOutput:
        """Return a function that records a layer's output, given the layer's name, in this phase."""
        moments = {layer: self._moments[phase, layer] for layer in self._modules}
        return lambda layer, output: moments[layer].add(output)

    def rows(self, epoch: int) -> list[Sequence[object]]:
        """Return rows of layers.csv for the outputs since the last call, in the order of the model."""
        return [
            (epoch, phase, name, self._modules[name], *statistics)
            for (phase, name), moments in self._moments.items()
            if (statistics := moments.take()) is not None
        ]


class Moments:
    """Mean, mean absolute value and population standard deviation of all added values.

    Each piece is measured on the device about its own mean, and the pieces are merged in float64 (Chan, Golub
    and LeVeque, 1983). A plain sum of squares would lose digits where the mean is much larger than the
    deviation.
    """

    def __init__(self, scratch: "Scratch") -> None:
        self._scratch = scratch
        self._gathered: list[Tensor] = []
        self._waiting = 0  # values in `_gathered`
        self._counts: list[int] = []  # values in each measured piece
        self._measured = DeviceScalars()  # of each piece: sum, sum of absolute values, norm about its mean

    def add(self, values: Tensor) -> None:
        """Add values of any shape; the tensor may change afterwards."""
        if values.numel() >= GATHERED:
            self._measure(values.reshape(-1))
            return
        self._gathered.append(values.clone())
        self._waiting += values.numel()
        if self._waiting >= GATHERED:
            self._measure_gathered()

    def take(self) -> tuple[float, float, float] | None:
        """Return the three statistics of the values since the last call; None if there were none."""
        self._measure_gathered()
        if not self._counts:
            return None
        counts, measured = self._counts, self._measured.take()
        self._counts = []
        sums, absolute, norms = measured[0::3], measured[1::3], measured[2::3]
        values = sum(counts)
        mean = sum(sums) / values
        shifts = [total / count - mean for total, count in zip(sums, counts, strict=True)]
        squares = sum(norm * norm for norm in norms)  # ** would raise on overflow, in a run that diverges
        squares += sum(count * shift * shift for count, shift in zip(counts, shifts, strict=True))
        return mean, sum(absolute) / values, math.sqrt(squares / values)

    def _measure_gathered(self) -> None:
        if self._gathered:
            self._measure(torch.cat([values.flatten() for values in self._gathered]))
            self._gathered, self._waiting = [], 0

    def _measure(self, values: Tensor) -> None:
        values = values.to(torch.promote_types(values.dtype, torch.float32))  # sums in float16 overflow
        total = values.sum()
        scratch = self._scratch.like(values)
        absolute = torch.abs(values, out=scratch).sum()
        centred = torch.sub(values, total / values.numel(), out=scratch)
        self._measured.add(total, absolute, torch.linalg.vector_norm(centred))
        self._counts.append(values.numel())


class Scratch:
    """Memory for intermediate results, shared by all layers.

    On a CPU, allocating megabytes for each output of a convolution takes longer than the sums. With the
    probe, an epoch of `cnn` took 2.3 times as long, and with shared memory 1.2 times.
    """

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def like(self, values: Tensor) -> Tensor:
        """Return an uninitialised tensor of the length, type and device of `values` [V]."""
        memory, kind = self._memory, (values.dtype, values.device)
        if memory is None or (memory.dtype, memory.device) != kind or len(memory) < len(values):
            memory = self._memory = torch.empty_like(values)
        return memory[: len(values)]


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

    def continue_after(self, step: int) -> None:
        """Count steps from there."""
        self._steps = step

    def step(self, loss_sum: Tensor, samples: int) -> None:
        """Record one step: the sum [] of its samples' losses."""
        self._sums.add(loss_sum)
        self._samples.append(samples)

    def rows(self) -> Rows:
        """Return rows of steps.csv for the steps since the last call."""
        losses = [total / n for total, n in zip(self._sums.take(), self._samples, strict=True)]
        first, self._steps, self._samples = self._steps + 1, self._steps + len(losses), []
        return list(enumerate(losses, start=first))
