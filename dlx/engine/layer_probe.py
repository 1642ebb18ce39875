"""Statistics of each layer's outputs by epoch: mean, mean absolute value and standard deviation."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal

import torch
from torch import Tensor, nn

from dlx.engine.metrics import DeviceScalars
from dlx.engine.model_summary import OnOutput, named_layers, watch_layers

Phase = Literal["training", "validation"]
PHASES: tuple[Phase, ...] = ("training", "validation")

# Values of a layer that are gathered before they are measured. Measuring 4096 at a time costs 12 us in calls
# alone, and copying them 1.3; 65536 at a time cost 25, and 256 KiB a layer.
GATHERED = 1 << 16


class LayerProbe:
    """Statistics over everything a layer outputs in an epoch: every sample, every call, every feature."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = {name: type(module).__name__ for name, module in named_layers(model).items()}
        scratch = Scratch()
        self._moments = {(phase, name): Moments(scratch) for phase in PHASES for name in self._modules}

    def watch(self, phase: Phase, model: nn.Module) -> AbstractContextManager[None]:
        """Record the outputs of `model`'s layers in this phase while the context lasts."""
        return watch_layers(model, self.on_output(phase))

    def on_output(self, phase: Phase) -> OnOutput:
        """Return what to call with a layer's name and its output in this phase."""
        moments = {layer: self._moments[phase, layer] for layer in self._modules}
        return lambda layer, output: moments[layer].add(output)

    def rows(self, epoch: int) -> list[Sequence[object]]:
        """Return rows of layers.csv for the outputs since the last call, in the order of the model."""
        taken = {key: moments.take() for key, moments in self._moments.items()}
        return [
            (epoch, phase, name, self._modules[name], *statistics)
            for (phase, name), statistics in taken.items()
            if statistics is not None
        ]


class Moments:
    """Mean, mean absolute value and population standard deviation of all the values it is given.

    Each piece is measured on the device about its own mean, and the pieces are merged in float64 (Chan, Golub
    and LeVeque, 1983). Plain sums of squares would cancel where the mean is much larger than the deviation.
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

    Allocating megabytes for each output of a convolution costs a CPU more than the sums: with the probe, an
    epoch of `cnn` took 2.3 times as long, and 1.2 times with shared memory.
    """

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def like(self, values: Tensor) -> Tensor:
        """Return an uninitialised tensor of the length, type and device of `values` [V]."""
        memory = self._memory
        if (
            memory is None
            or memory.dtype != values.dtype
            or memory.device != values.device
            or len(memory) < len(values)
        ):
            memory = self._memory = torch.empty_like(values)
        return memory[: len(values)]
