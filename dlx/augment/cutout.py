"""Cutout (DeVries & Taylor 2017): `augment.cutout=8`.

Axes: B images of the batch, C channels, H height, W width.
"""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from dlx.augment.transform import Transform


class Cutout(Transform):
    """Set a square of side `cutout` to zero in each image.

    Its centre is uniform over the pixels, so that it may lie partly outside, as in the paper. Zero is
    the mean where the data are standardised to mean zero.
    """

    in_pixels: ClassVar[bool] = True

    def __init__(self, cutout: Annotated[int, Field(ge=0)]) -> None:
        self.side = cutout

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw squares as first row, end row, first column, end column, unclipped: int64 [B, 4]."""
        centres = [
            torch.randint(side, shape[:1], generator=generator, device=generator.device) for side in shape[2:]
        ]
        top_B, left_B = (centre_B - self.side // 2 for centre_B in centres)
        return torch.stack([top_B, top_B + self.side, left_B, left_B + self.side], dim=1)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images with their squares set to zero in every channel."""
        top_B1, bottom_B1, left_B1, right_B1 = draws[:, :, None].unbind(1)
        row_H = torch.arange(images.shape[2], device=images.device)
        column_W = torch.arange(images.shape[3], device=images.device)
        rows_BH = (row_H >= top_B1) & (row_H < bottom_B1)
        columns_BW = (column_W >= left_B1) & (column_W < right_B1)
        square_BHW = rows_BH[:, :, None] & columns_BW[:, None, :]
        return images.masked_fill(square_BHW[:, None], 0)
