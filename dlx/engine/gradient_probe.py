"""How large the gradients and the weights of each parameter are, by epoch."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dlx.engine.scalars import Scalars


class GradientProbe:
    """The mean absolute gradient over an epoch's steps, of the loss as it is reduced, and weight at its end.

    `parameters` by name; each has its gradient in `.grad` when `step` is called.
    """

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self._parameters = dict(parameters)
        self._gradients = {name: Scalars() for name in parameters}

    def step(self) -> None:
        """Take note of the gradients of one step; a parameter without one is left out of its mean."""
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                self._gradients[name].add(_absolute_sum(parameter.grad))

    def rows(self, epoch: int) -> list[Sequence[object]]:
        """Return rows of gradients.csv, for the steps since the last call; without any, no gradient."""
        weights = Scalars()
        weights.add(*(_absolute_sum(parameter.detach()) for parameter in self._parameters.values()))
        rows: list[Sequence[object]] = []
        for (name, parameter), weight in zip(self._parameters.items(), weights.take(), strict=True):
            sums, count = self._gradients[name].take(), max(parameter.numel(), 1)
            gradient = sum(sums) / len(sums) / count if sums else None
            rows.append((epoch, name, gradient, weight / count))
        return rows


def _absolute_sum(values: Tensor) -> Tensor:
    """Sum |values|; the norm of order 1 takes three times as long on a CPU, for 784 x 128 weights."""
    return (values.to_dense() if values.layout != torch.strided else values).abs().sum()
