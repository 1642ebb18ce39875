"""A net that a user would write: its forward is its own, and a part of it is no layer that dlx has.

`dlx train model=custom model.target=own_net:Gated +model.width=64` trains this file.
Axes: B of a batch, C channels, H and W pixels, F features.
"""

import math

import torch
from torch import Tensor, nn


class Gated(nn.Module):
    """Two gated residual blocks between linear layers."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, width: int = 64) -> None:
        super().__init__()
        self.inward = nn.Linear(math.prod(input_shape), width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.values = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.outward = nn.Linear(width, outputs)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return the logits of a batch."""
        hidden_BF = nn.functional.gelu(self.inward(images_BCHW.flatten(1)))
        for norm, value, gate in zip(self.norms, self.values, self.gates, strict=True):
            normed_BF = norm(hidden_BF)
            hidden_BF = hidden_BF + torch.sigmoid(gate(normed_BF)) * value(normed_BF)
        return self.outward(hidden_BF)
