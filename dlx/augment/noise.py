"""Additive Gaussian noise: `augment.noise=0.1`. The one transform that flat data can have too."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from dlx.augment.transform import Transform


class Noise(Transform):
    """Add a normal number of standard deviation `noise` to every value; the result is not clipped.

    The unit is that of the inputs as the model sees them, after standardisation.
    """

    needs_images: ClassVar[bool] = False

    def __init__(self, noise: Annotated[float, Field(ge=0, allow_inf_nan=False)]) -> None:
        self.sigma = noise

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw the noise itself, float32 whatever the images' dtype so that every dtype sees the same."""
        normal = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)
        return normal.mul_(self.sigma)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return images + noise."""
        return images + draws.to(images.dtype)
