"""What a transform is: its strength, how it draws, how it applies what was drawn.

Axes: B images of the batch, C channels, H height, W width.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor


class Transform(ABC):
    """One random change to a batch, in two phases.

    Draws are one tensor with a leading axis B and hold all that depends on the strength. Runs of
    different strengths and generators can thus draw one by one, lay their draws end to end and apply
    them to their stacked images at once.
    """

    needs_images: ClassVar[bool] = True
    in_pixels: ClassVar[bool] = False  # the strength is a number of pixels

    @abstractmethod
    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw for a batch of this shape, [B, C, H, W] or [B, F], on the generator's device."""

    @staticmethod
    @abstractmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the changed images, of the same shape and dtype (floating); the input stays as it is."""
