"""Numbers that an epoch's steps leave on the device. They are fetched at its end, so no step waits for them.

Axes: R runs, B samples of a batch, K outputs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dlx.device import accumulator
from dlx.metrics.metrics import Metric

STACKED = 1024  # scalars kept one by one before they are stacked: each alone takes 512 bytes on a GPU
JUDGED = 1 << 16  # outputs that are judged together: one step's 320 take 20 us, an epoch's 10,000 take 40


class Metrics(NamedTuple):
    """Mean loss per sample, and accuracy as a fraction (None if the loss has no classes)."""

    loss: float
    accuracy: float | None


class Sums(NamedTuple):
    """Sums over so many samples, on the device: of losses, and of correct answers; [] for a run, or [R]."""

    losses: Tensor
    correct: Tensor
    samples: int


def sums(losses: Tensor, correct: Tensor) -> Sums:
    """Sum over the last axis, [..., N]; does not wait for the device."""
    total = losses.sum(-1, dtype=accumulator(losses.device))
    return Sums(total, correct.sum(-1, dtype=total.dtype), losses.shape[-1])


def fetch(*parts: Sums) -> list[list[Metrics]]:
    """Return each part's means, a run each, in one copy; waits for the device."""
    numbers = torch.cat([sums.flatten() for part in parts for sums in part[:2]]).tolist()
    fetched, start = [], 0
    for part in parts:
        runs = part.losses.numel()
        totals, counts = numbers[start : start + runs], numbers[start + runs : start + 2 * runs]
        pairs = zip(totals, counts, strict=True)
        fetched.append([Metrics(total / part.samples, count / part.samples) for total, count in pairs])
        start += 2 * runs
    return fetched


class Outputs(NamedTuple):
    """Outputs of a split and its labels: [N, K] and [N, ...] of a run, or with an axis R before."""

    outputs: Tensor
    labels: Tensor

    def of(self, row: int) -> "Outputs":
        """Return those of one run."""
        return Outputs(self.outputs[row], self.labels[row])


@torch.no_grad()
def measure(
    metrics: Sequence[Sequence[Metric]], splits: Mapping[str, Sequence[Outputs] | None]
) -> list[dict[str, float | None]]:
    """Return each run's metrics by column, in one copy; waits for the device.

    `metrics`: of each run. `splits`: by what a column begins with (`train_`), the outputs of each run; None
    leaves its columns empty.
    """
    columns = [
        (row, f"{split}{metric.name}", None if given is None else metric.compute(*given[row]))
        for row, of_run in enumerate(metrics)
        for split, given in splits.items()
        for metric in of_run
    ]
    values = [value for *_, value in columns if value is not None]
    numbers = iter(torch.stack(values).tolist() if values else [])
    measured: list[dict[str, float | None]] = [{} for _ in metrics]
    for row, name, value in columns:
        measured[row][name] = None if value is None else next(numbers)
    return measured


class EpochMetrics:
    """Collects each step's losses and outputs, of a single run or of several.

    `correct` judges outputs by labels: [B, K] and [B], or [R, B, K] and [R, B]. `keep`: until the epoch ends,
    for metrics of all its outputs.
    """

    def __init__(self, correct: Callable[[Tensor, Tensor], Tensor], *, keep: bool = False) -> None:
        self._correct, self._keep = correct, keep
        self._kept: list[Outputs] = []
        self._losses: list[Tensor] = []
        self._judged: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._values = 0  # in the outputs that wait to be judged

    def add(self, losses: Tensor, outputs: Tensor, labels: Tensor) -> None:
        """Add one step. The tensors are kept and must not change afterwards."""
        self._losses.append(losses)
        self._outputs.append(outputs)
        self._labels.append(labels)
        self._values += outputs.numel()
        if self._values >= JUDGED:
            self._judge()

    def sums(self) -> Sums:
        """Return each run's sums over all samples; does not wait for the device."""
        if self._outputs:
            self._judge()
        return sums(torch.cat(self._losses, -1), torch.cat(self._judged, -1))

    def outputs(self) -> Outputs:
        """Return all outputs and labels that were kept, in the order of the steps."""
        return _join(self._kept)

    def _judge(self) -> None:
        whole = _join([*map(Outputs, self._outputs, self._labels)])
        self._judged.append(self._correct(*whole))
        self._kept += [whole] if self._keep else []
        self._outputs, self._labels, self._values = [], [], 0


def _join(parts: Sequence[Outputs]) -> Outputs:
    axis = parts[0].outputs.dim() - 2
    return Outputs(*(torch.cat(each, axis) for each in zip(*parts, strict=True)))


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
