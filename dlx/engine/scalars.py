"""Numbers that a device computes one by one and the host fetches together, so that no step waits for them."""

import numpy as np
import torch
from numpy.typing import NDArray
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

    def take(self) -> NDArray[np.float64]:
        """Return all numbers added since the last call, [added], and forget them; waits for the device."""
        self._stack()
        taken = [stacked.cpu().double() for stacked in self._stacked]
        self._stacked = []
        return torch.cat(taken).numpy() if taken else np.zeros(0)

    def _stack(self) -> None:
        if self._loose:
            self._stacked.append(torch.stack(self._loose))
            self._loose = []
