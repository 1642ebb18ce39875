"""The registry of architectures, and what they share: activations by name, dropout, input shapes.

Axes: B batch, C channels, H height, W width, F features; a sample is an image (C, H, W) or flat (F,).
"""

from collections.abc import Callable
from math import prod
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dlx.errors import RequestError
from dlx.registry import Registry

# A builder takes `input_shape`, (C, H, W) or (F,), `outputs` and its own keys of the YAML. It may draw
# weights only through torch's default initialisation, for which the caller seeds torch's global generator.
models: Registry[nn.Module] = Registry("model", "dlx.model", "dlx.surface.descent")

Count = Annotated[int, Field(ge=1)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "none"]

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}


def image_shape(name: str, input_shape: tuple[int, ...], smallest: int = 1) -> tuple[int, int, int]:
    """Return (C, H, W) for the model `name`, whose layers need H and W of at least `smallest` pixels.

    Raises RequestError for flat data and for images that are too small.
    """
    if len(input_shape) != 3:
        raise RequestError(
            f"model.name={name}: needs images (channels, height, width),"
            f" the data set has {prod(input_shape)} features"
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise RequestError(
            f"model.name={name}: needs images of at least {smallest} x {smallest} pixels,"
            f" the data set has {height} x {width}"
        )
    return channels, height, width


class Dropout(nn.Module):
    """Inverted dropout like torch.nn.Dropout, but its mask comes from a generator set by `use_generator`.

    In training each value is zeroed with probability `p` in [0, 1) and the others are divided by 1 - p. In
    evaluation, and for p = 0, the input passes unchanged and nothing is drawn.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        assert 0 <= p < 1, f"dropout {p} outside [0, 1)"
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with dropped values set to zero; raises RuntimeError in training without a generator."""
        if not self.training or self.p == 0:
            return x
        if self.generator is None:
            # With torch's global generator instead, the two engines would draw different masks.
            raise RuntimeError("dropout draws from a generator: call use_generator(model, generator) first")
        return x * self.mask(x.shape, self.generator).to(x.dtype)

    def mask(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Draw a mask of 0 and 1 / (1 - p), float32, on the generator's device.

        Uniform numbers, the same for every p and dtype; on a CPU 15 us for 32 x 128, `bernoulli_` takes 48.
        """
        uniform = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)
        return (uniform >= self.p).float().div_(1 - self.p)

    def extra_repr(self) -> str:
        """Show the probability when the model is printed."""
        return f"p={self.p}"


def use_generator(model: nn.Module, generator: torch.Generator | None) -> None:
    """Let every Dropout in `model` draw its masks from `generator`, one layer after the other."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.generator = generator
