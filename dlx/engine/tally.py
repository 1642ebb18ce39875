"""What an epoch's steps add up to, of one run or of several: added up at its end, so that no step does it.

Axes: R runs, B samples of a batch, N of an epoch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dlx.device import accumulator


@dataclass(frozen=True)
class Means:
    """Of an epoch's samples while learning: the mean loss, the fraction of right answers."""

    loss: float
    accuracy: float


class Tally:
    """Keeps each step's losses and right answers on the device, [B] of one run or [R, B], until `means`."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._right: list[Tensor] = []

    def add(self, losses: Tensor, right: Tensor) -> None:
        """Take note of a step; nobody may write into the tensors afterwards."""
        self._losses.append(losses)
        self._right.append(right)

    def means(self) -> list[Means]:
        """Return each run's means; waits for the device."""
        losses = torch.cat(self._losses, -1)
        right = torch.cat(self._right, -1)
        samples = losses.shape[-1]
        sums = losses.sum(-1, dtype=accumulator(losses.device)).flatten().tolist()
        counts = right.sum(-1).flatten().tolist()
        return [Means(total / samples, count / samples) for total, count in zip(sums, counts, strict=True)]
