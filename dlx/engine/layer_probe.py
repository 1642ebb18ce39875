"""What the layers give, by epoch: mean, mean absolute value and standard deviation of all values."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal

import torch
from torch import Tensor, nn

from dlx.engine.layers import See, named_layers, watch
from dlx.engine.scalars import Scalars

Phase = Literal["training", "validation"]
PHASES: tuple[Phase, ...] = ("training", "validation")

# Values of a layer that are gathered before they are measured. 4096 at a time cost 12 us in calls alone,
# where copying them takes 1.3; 65536 take 25, and 256 KiB a layer.
GATHERED = 1 << 16


class LayerProbe:
    """Statistics over all values that a layer gives in an epoch: every sample, every call, every feature."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = {name: type(module).__name__ for name, module in named_layers(model).items()}
        scratch = Scratch()
        self._moments = {(phase, name): Moments(scratch) for phase in PHASES for name in self._modules}

    def watch(self, phase: Phase, model: nn.Module) -> AbstractContextManager[None]:
        """Record what the layers of `model` give in this phase while the context lasts."""
        return watch(model, self.see(phase))

    def see(self, phase: Phase) -> See:
        """Return what to call with a layer's name and what it gave in this phase."""
        moments = {layer: self._moments[phase, layer] for layer in self._modules}
        return lambda layer, output: moments[layer].add(output)

    def rows(self, epoch: int) -> list[Sequence[object]]:
        """Return rows of layers.csv for what was seen since the last call, in the order of the model."""
        taken = {key: moments.take() for key, moments in self._moments.items()}
        return [
            (epoch, phase, name, self._modules[name], *statistics)
            for (phase, name), statistics in taken.items()
            if statistics is not None
        ]


class Moments:
    """Mean, mean absolute value and population's standard deviation of all the values it is given.

    Measured piece by piece on the device, about each piece's own mean, and merged in float64 (Chan, Golub
    and LeVeque, 1983): sums of squares would cancel where the mean is large beside the deviation.
    """

    def __init__(self, scratch: "Scratch") -> None:
        self._scratch = scratch
        self._gathered: list[Tensor] = []
        self._waiting = 0  # values in those
        self._counts: list[int] = []  # values in each piece measured
        self._measured = Scalars()  # of each piece: sum, sum of absolute values, norm about its mean

    def add(self, values: Tensor) -> None:
        """Take note of values of any shape; the tensor may change afterwards."""
        if values.numel() >= GATHERED:
            self._measure(values.reshape(-1))
            return
        self._gathered.append(values.clone())
        self._waiting += values.numel()
        if self._waiting >= GATHERED:
            self._measure_gathered()

    def take(self) -> tuple[float, float, float] | None:
        """Return the three statistics of the values since the last call, None if there were none."""
        self._measure_gathered()
        if not self._counts:
            return None
        counts, measured = self._counts, self._measured.take()
        self._counts = []
        sums, absolute, norms = measured[0::3], measured[1::3], measured[2::3]
        values = sum(counts)
        mean = sum(sums) / values
        shifts = [total / count - mean for total, count in zip(sums, counts, strict=True)]
        squares = sum(norm * norm for norm in norms)  # ** raises where it overflows, as a run diverges
        squares += sum(count * shift * shift for count, shift in zip(counts, shifts, strict=True))
        return mean, sum(absolute) / values, math.sqrt(squares / values)

    def _measure_gathered(self) -> None:
        if self._gathered:
            self._measure(torch.cat([values.flatten() for values in self._gathered]))
            self._gathered, self._waiting = [], 0

    def _measure(self, values: Tensor) -> None:
        values = values.to(torch.promote_types(values.dtype, torch.float32))  # float16 sums overflow
        total = values.sum()
        scratch = self._scratch.like(values)
        absolute = torch.abs(values, out=scratch).sum()
        centred = torch.sub(values, total / values.numel(), out=scratch)
        self._measured.add(total, absolute, torch.linalg.vector_norm(centred))
        self._counts.append(values.numel())


class Scratch:
    """Room to compute in, kept for the next tensor.

    Fresh megabytes for each output of a convolution cost a CPU more than the sums: an epoch of `cnn` took
    2.3 times as long as without the probe, and 1.2 times with this.
    """

    def __init__(self) -> None:
        self._room: Tensor | None = None

    def like(self, values: Tensor) -> Tensor:
        """Return a tensor of the length, type and device of `values` [V], and of any content."""
        room = self._room
        if (
            room is None
            or room.dtype != values.dtype
            or room.device != values.device
            or len(room) < len(values)
        ):
            room = self._room = torch.empty_like(values)
        return room[: len(values)]
