"""The layers that the architectures choose by name, and a dropout layer that is given its generator.

Axes: B batch, C channels, H height, W width, F features; images are [B, C, H, W], flat data [B, F].
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "none"]
Norm = Literal["none", "batch", "layer"]

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


def feature_norm(norm: Norm, features: int) -> dict[str, nn.Module]:
    """Return the norm over [B, F] as {"norm": layer}, or {} for "none": merge it into named layers."""
    if norm == "batch":
        return {"norm": nn.BatchNorm1d(features)}
    if norm == "layer":
        return {"norm": nn.LayerNorm(features)}
    return {}


class Dropout(nn.Module):
    """Inverted dropout like torch.nn.Dropout's, with a mask from `generator`, which `use_generator` sets.

    In training each value is zeroed with probability `p` in [0, 1) and the rest are divided by 1 - p; in
    evaluation, and for p = 0, the input passes unchanged and nothing is drawn.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        assert 0 <= p < 1, f"dropout {p} outside [0, 1)"
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with its dropped values zeroed; raises RuntimeError in training without a generator."""
        if not self.training or self.p == 0:
            return x
        if self.generator is None:
            # A fallback to the global state would train, and no two engines would agree.
            raise RuntimeError("dropout draws from a generator: call use_generator(model, generator) first")
        return x * self.mask(x.shape, self.generator).to(x.dtype)

    def mask(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Draw a mask of 0 and 1 / (1 - p), float32 on the generator's device.

        Uniform numbers, whatever p and the model's dtype: on a CPU 15 us for 32 x 128 where `bernoulli_`
        takes 48.
        """
        uniform = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)
        return (uniform >= self.p).float().div_(1 - self.p)

    def extra_repr(self) -> str:
        """Show the probability when the model is printed."""
        return f"p={self.p}"


def use_generator(model: nn.Module, generator: torch.Generator | None) -> None:
    """Let every Dropout of ours in `model` draw its masks from `generator`, one after the other."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.generator = generator
