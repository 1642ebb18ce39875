"""Horizontal flips: `augment.flip=true`, or the probability of one.

Axes: B images of the batch, C channels, H height, W width.
"""

import torch
from torch import Tensor

from dlx.augment.transform import Transform
from dlx.errors import RequestError


class Flip(Transform):
    """Mirror each image left to right with probability `flip`; true stands for 0.5."""

    def __init__(self, flip: bool | float) -> None:
        self.probability = 0.5 if flip is True else float(flip)
        if not 0 <= self.probability <= 1:
            raise RequestError(f"augment.flip={flip}: give true, false or a probability from 0 to 1")

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw which images to flip: bool [B]."""
        return torch.rand(shape[0], generator=generator, device=generator.device) < self.probability

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images, the drawn ones mirrored."""
        flip_B111 = draws[:, None, None, None]
        return torch.where(flip_B111, images.flip(-1), images)
