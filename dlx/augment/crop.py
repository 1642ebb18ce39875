"""Random crops of the zero-padded image: `augment.crop=4`.

Axes: B images of the batch, C channels, H height, W width.
"""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from dlx.augment.pixels import draw_offsets, sources, take
from dlx.augment.transform import Transform


class Crop(Transform):
    """Pad each image by `crop` zeros on every side and cut the original size out at a random place.

    That is a move by -crop .. crop pixels each way that leaves zeros behind (He et al. 2016 crop CIFAR
    by 4), and it is computed as one.
    """

    in_pixels: ClassVar[bool] = True

    def __init__(self, crop: Annotated[int, Field(ge=0)]) -> None:
        self.padding = crop

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw (down, right) moves of the picture for each image: int64 [B, 2]."""
        return draw_offsets(generator, shape[0], self.padding)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images moved, with zeros where they moved away from."""
        height, width = images.shape[2:]
        rows_BH, columns_BW = sources(draws[:, 0], height), sources(draws[:, 1], width)
        inside_BH = (rows_BH >= 0) & (rows_BH < height)
        inside_BW = (columns_BW >= 0) & (columns_BW < width)
        moved_BCHW = take(images, rows_BH.clamp(0, height - 1), columns_BW.clamp(0, width - 1))
        outside_BHW = ~(inside_BH[:, :, None] & inside_BW[:, None, :])
        return moved_BCHW.masked_fill_(outside_BHW[:, None], 0)
