"""Standardising inputs: subtract, then divide, by values fitted on the training split alone.

Axes: N samples of the training split, B of a batch; images [N, C, H, W], flat data [N, F].
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Method = Literal["none", "unit", "mean_std", "mean_image"]

# Values converted to float64 at a time: 128 MiB; all of CIFAR-10 would take 1.2 GiB.
CHUNK_VALUES = 1 << 24


@dataclass(frozen=True, eq=False)
class Standardise:
    """`(x - mean) / scale` in the dtype of `mean`; both broadcast to x [B, ...] and are on its device."""

    mean: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return x [B, ...], uint8 or floating, standardised in a new tensor.

        Each value is computed on its own, so a batch has the same bits as those rows of the whole split.
        Multiplying by 1 / scale would round differently from NumPy's division.
        """
        return (x.to(self.mean.dtype) - self.mean).div_(self.scale)

    def undo(self, x: Tensor) -> Tensor:
        """Return standardised x [B, ...] in its original unit, up to rounding."""
        return x * self.scale + self.mean

    def to(self, *, dtype: torch.dtype, device: torch.device) -> "Standardise":
        """Return a copy on `device` that computes in `dtype`."""
        return Standardise(self.mean.to(device, dtype), self.scale.to(device, dtype))


def fit(method: Method, inputs: Tensor, white: float | None) -> Standardise:
    """Fit on the training inputs [N, ...] and return float64 tensors on their device.

    none: no change. unit: divide by `white`, the largest value a pixel can take, or map the range of the
    training values to [0, 1] if that is unknown. mean_std: by channel for images, overall for flat data, with
    the population standard deviation; constant values are only centred. mean_image: subtract the mean of the
    training samples.
    """
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    if method == "none":
        return Standardise(zero, one)
    if method == "unit":
        if white is not None:
            return Standardise(zero, one * white)
        low, high = inputs.min().double(), inputs.max().double()
        return Standardise(low, _never_zero(high - low))
    if method == "mean_image":
        return Standardise(sum((chunk.sum(0) for chunk in _chunks(inputs)), zero) / len(inputs), one)
    return _mean_std(inputs)


def _mean_std(inputs: Tensor) -> Standardise:
    if inputs.dim() != 4:
        mean, variance = _moments(inputs)
    else:
        by_channel = [_moments(inputs[:, channel]) for channel in range(inputs.shape[1])]
        mean, variance = (torch.stack(moment)[:, None, None] for moment in zip(*by_channel, strict=True))
    return Standardise(mean, _never_zero(variance.sqrt()))


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and population variance of all values, in two passes: E[x^2] - E[x]^2 is inexact."""
    zero = torch.zeros((), dtype=torch.float64)
    if values.dtype == torch.uint8:
        # Counting the 256 values takes 0.4 s for CIFAR-10; converting them to floats took 3 s.
        counts = torch.bincount(values.flatten(), minlength=256).double()
        level = torch.arange(256, dtype=torch.float64)
        mean = (counts * level).sum() / values.numel()
        return mean, (counts * (level - mean).square()).sum() / values.numel()
    mean = sum((chunk.sum() for chunk in _chunks(values)), zero) / values.numel()
    squares = sum(((chunk - mean).square().sum() for chunk in _chunks(values)), zero)
    return mean, squares / values.numel()


def _never_zero(scale: Tensor) -> Tensor:
    return torch.where(scale == 0, torch.ones_like(scale), scale)


def _chunks(inputs: Tensor) -> Iterator[Tensor]:
    rows = max(1, CHUNK_VALUES * len(inputs) // inputs.numel())
    for start in range(0, len(inputs), rows):
        yield inputs[start : start + rows].double()
