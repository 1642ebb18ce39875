"""Numbers that a device computes one by one and the host fetches together, so that no step waits for them."""

import torch
from torch import Tensor

STACKED = 1024  # loose tensors until they become one: a scalar by itself takes 512 bytes of a GPU


class Scalars:
    """Scalar tensors, kept on their device until they are taken."""

    def __init__(self) -> None:
        self._loose: list[Tensor] = []
        self._stacked: list[Tensor] = []

    def add(self, *scalars: Tensor) -> None:
        """Keep tensors of shape []; nobody may write into them afterwards."""
        self._loose += scalars
        if len(self._loose) >= STACKED:
            self._stack()

    def take(self) -> list[float]:
        """Return all numbers added since the last call, in order, and forget them; waits for the device."""
        self._stack()
        taken = [number for stacked in self._stacked for number in stacked.tolist()]
        self._stacked = []
        return taken

    def _stack(self) -> None:
        if self._loose:
            self._stacked.append(torch.stack(self._loose))
            self._loose = []
