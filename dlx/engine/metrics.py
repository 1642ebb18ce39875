"""Numbers that an epoch's steps leave on the device. They are fetched at its end, so no step waits for them.

Axes: R runs, B samples of a batch.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dlx.device import accumulator

STACKED = 1024  # scalars kept one by one before they are stacked: each alone takes 512 bytes on a GPU


class Metrics(NamedTuple):
    """Mean loss per sample, and accuracy as a fraction (None if the loss has no classes)."""

    loss: float
    accuracy: float | None


class EpochMetrics:
    """Collects each step's losses and correct answers: [B] for a single run, [R, B] for several."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._correct: list[Tensor] = []

    def add(self, losses: Tensor, correct: Tensor) -> None:
        """Add one step. The tensors are kept and must not change afterwards."""
        self._losses.append(losses)
        self._correct.append(correct)

    def means(self) -> list[Metrics]:
        """Return each run's means over all samples; waits for the device."""
        losses = torch.cat(self._losses, -1)
        correct = torch.cat(self._correct, -1)
        samples = losses.shape[-1]
        sums = losses.sum(-1, dtype=accumulator(losses.device)).flatten().tolist()
        counts = correct.sum(-1).flatten().tolist()
        return [Metrics(total / samples, count / samples) for total, count in zip(sums, counts, strict=True)]


class DeviceScalars:
    """Scalar tensors, kept on their device until they are taken."""

    def __init__(self) -> None:
        self._single: list[Tensor] = []
        self._stacked: list[Tensor] = []

    def add(self, *scalars: Tensor) -> None:
        """Add tensors of shape []. They are kept and must not change afterwards."""
        self._single += scalars
        if len(self._single) >= STACKED:
            self._stack()

    def take(self) -> list[float]:
        """Return all numbers added since the last call, in order; waits for the device."""
        self._stack()
        taken = [number for stacked in self._stacked for number in stacked.tolist()]
        self._stacked = []
        return taken

    def _stack(self) -> None:
        if self._single:
            self._stacked.append(torch.stack(self._single))
            self._single = []
