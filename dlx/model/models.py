"""The registry of architectures, and what they share: activations, initial weights, input shapes, dropout.

Axes: B batch, C channels, H height, W width, F features; a sample is an image (C, H, W) or flat (F,).
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from dlx.errors import RequestError, unknown
from dlx.registry import Registry

# A builder takes `input_shape`, (C, H, W) or (F,), `outputs` and its own keys of the YAML. It draws weights
# only by torch's default initialisation, for which the caller seeds torch's global generator.
models: Registry[nn.Module] = Registry("model", "dlx.model", "dlx.surface.descent")

# The deepest plain network known to train has 10,000 layers (Xiao et al., 2018); building it takes seconds.
MOST_LAYERS = 10_000
Count = Annotated[int, Field(ge=1, le=10**9)]
Layers = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1, max_length=MOST_LAYERS)]
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

# torch's own formulas: Kaiming for ReLU over the fan-in (He et al. 2015), Xavier with gain 1 (Glorot & Bengio
# 2010), orthogonal with gain 1 (Saxe et al. 2014).
SCHEMES: dict[str, Callable[..., Tensor]] = {
    "kaiming_normal": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "kaiming_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
    "zeros": lambda weight, generator: nn.init.zeros_(weight),  # noqa: ARG005
}


class FittedToInputs(nn.Module, ABC):
    """A model that sets some of its weights by training inputs, before it is trained."""

    @abstractmethod
    def fit(self, inputs: Tensor) -> None:
        """Set the weights from inputs [N, ...], standardised; the same for the same inputs."""


def image_shape(name: str, input_shape: tuple[int, ...], smallest: int = 1) -> tuple[int, int, int]:
    """Return (C, H, W); raises RequestError for flat data, or if H or W has fewer than `smallest` pixels."""
    if len(input_shape) != 3:
        raise RequestError(
            f"model.name={name}: needs images (channels, height, width), but the data set has"
            f" {math.prod(input_shape)} features"
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise RequestError(
            f"model.name={name}: needs images of at least {smallest} x {smallest} pixels, but the data set "
            f"has {height} x {width}"
        )
    return channels, height, width


def initialise(model: nn.Module, scheme: str, generator: torch.Generator) -> None:
    """Redraw the weights of every linear and convolution layer in place, and set their biases to zero.

    "default" leaves all weights as torch drew them. `normal:0.02` is a normal distribution with standard
    deviation 0.02. The generator must be on the weights' device. Raises RequestError for an unknown scheme or
    standard deviation, before any weight changes.
    """
    if scheme == "default":
        return
    draw = _scheme(scheme)
    for module in model.modules():
        if isinstance(module, nn.Linear | _ConvNd):
            draw(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _scheme(scheme: str) -> Callable[..., Tensor]:
    """Return the function that draws weights in place."""
    # normal:0.02 or normal(0.02); on a command line, Hydra would read unquoted brackets as its own function.
    normal = re.fullmatch(r"normal(?:\((.*)\)|:(.*))?", scheme)
    if not normal:
        if scheme not in SCHEMES:
            raise unknown("model.init", scheme, ["default", "normal:STD", *SCHEMES])
        return SCHEMES[scheme]
    try:
        std = float(normal[1] or normal[2] or "")
    except ValueError:
        std = math.nan
    if not 0 < std < math.inf:
        raise RequestError(
            f"model.init={scheme}: give the standard deviation, a number above 0: model.init=normal:0.02"
        )
    return partial(nn.init.normal_, std=std)


class Dropout(nn.Dropout):
    """torch's dropout, but its mask comes from a generator set by `use_generator`.

    In training each value is zeroed with probability `p` in [0, 1) and the others are divided by 1 - p. In
    evaluation, and for p = 0, the input passes unchanged and nothing is drawn.
    """

    generator: torch.Generator | None = None

    def __init__(self, p: float) -> None:
        assert 0 <= p < 1, f"dropout {p} outside [0, 1)"
        super().__init__(p)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with dropped values set to zero; raises RuntimeError in training without a generator."""
        if not self.training or self.p == 0:
            return x
        return x.mul_(self.draw(x)) if self.inplace else x * self.draw(x)

    def draw(self, x: Tensor) -> Tensor:
        """Draw what `x` is multiplied by in training; raises RuntimeError without a generator."""
        if self.generator is None:
            # torch's global generator would give different masks in the two engines.
            raise RuntimeError("dropout draws from a generator: call use_generator(model, generator) first")
        return self.mask(x.shape, self.generator).to(x.dtype)

    def mask(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Draw a mask of 0 and 1 / (1 - p), float32, on the generator's device, for values of this shape.

        It comes from uniform numbers, the same for every p and dtype. On a CPU that takes 15 us for 32 x 128,
        and `bernoulli_` 48.
        """
        size = self.mask_shape(shape)
        uniform = torch.rand(size, generator=generator, device=generator.device, dtype=torch.float32)
        return (uniform >= self.p).float().div_(1 - self.p)

    def mask_shape(self, shape: torch.Size) -> torch.Size:
        """Return the shape of the mask for values of this shape: one number for each."""
        return shape


class _ChannelDropout(Dropout):
    """Drops whole channels; `lone` is the number of axes of a single sample, which has no batch axis."""

    lone: int

    def mask_shape(self, shape: torch.Size) -> torch.Size:
        """Return [B, C, 1, ...]; [C, 1, ...] for a single sample."""
        kept = 1 if len(shape) == self.lone else 2
        return torch.Size([*shape[:kept], *[1] * (len(shape) - kept)])


class Dropout1d(_ChannelDropout):
    """Drops channels of [B, C, L] or [C, L]."""

    lone = 2


class Dropout2d(_ChannelDropout):
    """Drops channels of [B, C, H, W]; like torch's, it takes three axes for [B, C, L]."""

    lone = 0


class Dropout3d(_ChannelDropout):
    """Drops channels of [B, C, D, H, W] or [C, D, H, W]."""

    lone = 4


WITH_GENERATOR: dict[type[nn.Module], type[Dropout]] = {
    nn.Dropout: Dropout,
    nn.Dropout1d: Dropout1d,
    nn.Dropout2d: Dropout2d,
    nn.Dropout3d: Dropout3d,
}


def draw_from_generators(model: nn.Module) -> None:
    """Let torch's dropout layers in `model` draw from a generator, as dlx's own do.

    Their class changes rather than the layer, which the user's code may hold in other places too. Subclasses
    stay as they are, and so does p = 1, which draws nothing.
    """
    for module in model.modules():
        if type(module) in WITH_GENERATOR and module.p != 1:
            module.__class__ = WITH_GENERATOR[type(module)]


def drops(model: nn.Module) -> bool:
    """Return whether a Dropout in `model` draws anything."""
    return any(isinstance(module, Dropout) and module.p > 0 for module in model.modules())


def use_generator(model: nn.Module, generator: torch.Generator | None) -> None:
    """Let every Dropout in `model` draw its masks from `generator`, one layer after the other."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.generator = generator
