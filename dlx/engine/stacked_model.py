"""What the engine needs of R models as one: their outputs, their parameters, their layers' outputs.

The members stay usable: their parameters and buffers are views of the stack's tensors, so checkpoints,
parameter counts and torch's optimizers work on each of them as before.

Axes: R members, B batch, K outputs.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlx.engine.model_summary import OnOutput


class UnstackableError(Exception):
    """Models that cannot be stacked; the message gives the reason."""


class StackedModel(nn.Module):
    """Models of equal `signature` as one: [R, B, ...] -> [R, B, K].

    `shares` pairs each stacked parameter with the members' views of it, in the order of their `parameters()`.
    `evaluates`: whether it also computes the members' outputs in evaluation, whatever the size of the batch.
    """

    shares: list[tuple[nn.Parameter, tuple[Tensor, ...]]]
    evaluates: ClassVar[bool]

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return the members' outputs, [R, B, K]."""

    @abstractmethod
    def use_generators(self, generators: Sequence[torch.Generator]) -> None:
        """Let every dropout layer draw member r's mask from generators[r]."""

    def watch(self, callbacks: Sequence[OnOutput | None]) -> AbstractContextManager[None]:
        """Call callbacks[r](name, output) for each layer of member r, as `watch_layers` does for a model."""
        return self._watch(callbacks) if any(callbacks) else nullcontext()

    @contextmanager
    @abstractmethod
    def _watch(self, callbacks: Sequence[OnOutput | None]) -> Iterator[None]:
        yield


def hand_out(callbacks: Sequence[OnOutput | None], layer: str, outputs: Sequence[Tensor]) -> None:
    """Call each member's callback, if it has one, with its output of a layer."""
    for callback, output in zip(callbacks, outputs, strict=True):
        if callback is not None:
            callback(layer, output)
