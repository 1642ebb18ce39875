"""What the layers give, by epoch: mean, mean absolute value and standard deviation of all values."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from dlx.engine.layers import named_layers, watch
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
        self._moments = {(phase, name): Moments() for phase in PHASES for name in self._modules}

    def watch(self, phase: Phase, model: nn.Module) -> AbstractContextManager[None]:
        """Record what the layers of `model` give in this phase while the context lasts."""
        return watch(model, partial(self.see, phase))

    def see(self, phase: Phase, layer: str, output: Tensor) -> None:
        """Take note of one output, [B, ...], of a layer."""
        self._moments[phase, layer].add(output)

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

    def __init__(self) -> None:
        self._gathered: list[Tensor] = []
        self._waiting = 0  # values in those
        self._counts: list[int] = []  # values in each piece measured
        self._measured = Scalars()  # of each piece: sum, sum of absolute values, norm about its mean

    def add(self, values: Tensor) -> None:
        """Take note of values of any shape; the tensor may change afterwards."""
        flat = values.reshape(-1)
        if len(flat) >= GATHERED:
            self._measure(flat)
            return
        self._gathered.append(flat.clone())
        self._waiting += len(flat)
        if self._waiting >= GATHERED:
            self._measure_gathered()

    def take(self) -> tuple[float, float, float] | None:
        """Return the three statistics of the values since the last call, None if there were none."""
        self._measure_gathered()
        if not self._counts:
            return None
        counts = np.array(self._counts, dtype=np.float64)
        self._counts = []
        sums, absolute, norms = self._measured.take().reshape(-1, 3).T
        with np.errstate(invalid="ignore", over="ignore"):  # of a run that diverges
            mean = sums.sum() / counts.sum()
            squares = (norms**2).sum() + (counts * (sums / counts - mean) ** 2).sum()
            return float(mean), float(absolute.sum() / counts.sum()), float(np.sqrt(squares / counts.sum()))

    def _measure_gathered(self) -> None:
        if self._gathered:
            self._measure(torch.cat(self._gathered))
            self._gathered, self._waiting = [], 0

    def _measure(self, values: Tensor) -> None:
        values = values.to(torch.promote_types(values.dtype, torch.float32))  # float16 sums overflow
        total = values.sum()
        # abs().sum(), since the norm of order 1 takes four times as long on a CPU.
        self._measured.add(total, values.abs().sum(), torch.linalg.vector_norm(values - total / len(values)))
        self._counts.append(len(values))
