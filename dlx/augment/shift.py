"""Shifts that wrap round: `augment.shift=1`.

Axes: B images of the batch, C channels, H height, W width.
"""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from dlx.augment.pixels import draw_offsets, sources, take
from dlx.augment.transform import Transform


class Shift(Transform):
    """Roll each image by -shift .. shift pixels down and, independently, right."""

    in_pixels: ClassVar[bool] = True

    def __init__(self, shift: Annotated[int, Field(ge=0)]) -> None:
        self.largest = shift

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw (down, right) for each image: int64 [B, 2]."""
        return draw_offsets(generator, shape[0], self.largest)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images rolled, as torch.roll would each by itself."""
        height, width = images.shape[2:]
        rows_BH = sources(draws[:, 0], height) % height
        columns_BW = sources(draws[:, 1], width) % width
        return take(images, rows_BH, columns_BW)
