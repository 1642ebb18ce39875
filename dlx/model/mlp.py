"""The fully connected network: [B, C, H, W] or [B, F] -> hidden layers -> [B, outputs]."""

from collections import OrderedDict
from typing import Annotated

from pydantic import Field
from torch import nn

from dlx.model.layers import ACTIVATIONS, Activation, Dropout, Norm, feature_norm
from dlx.model.registry import models
from dlx.model.shape import feature_count

Width = Annotated[int, Field(ge=1)]


@models.register("mlp")
class MLP(nn.Sequential):
    """Hidden layers of linear, norm, activation, dropout, then a linear output layer.

    `width` is the first hidden layer's, each further one has `taper` times the previous one's (rounded
    down, at least 1): depth 2 at width 128 is 128-64, taper 1 makes them equal. `sizes`, if given, is
    the list of all hidden widths instead, and [] leaves none.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        width: Width = 128,
        depth: Annotated[int, Field(ge=0)] = 2,
        taper: Annotated[float, Field(gt=0, le=1)] = 0.5,
        sizes: list[Width] | None = None,
        norm: Norm = "none",
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        bias: bool = True,
    ) -> None:
        hidden = tapered(width, depth, taper) if sizes is None else sizes
        features = feature_count(input_shape)
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for number, size in enumerate(hidden, start=1):
            layers[f"linear{number}"] = nn.Linear(features, size, bias=bias)
            for kind, layer in feature_norm(norm, size).items():
                layers[f"{kind}{number}"] = layer
            layers[f"activation{number}"] = ACTIVATIONS[activation]()
            # There at p = 0 too: runs that differ in dropout alone have the same layers, so they stack.
            layers[f"dropout{number}"] = Dropout(dropout)
            features = size
        layers["output"] = nn.Linear(features, outputs, bias=bias)
        super().__init__(layers)


def tapered(width: int, depth: int, taper: float) -> list[int]:
    """Return `depth` widths that start at `width` and shrink by `taper`: (128, 2, 0.5) -> [128, 64]."""
    widths = [width][:depth]
    while len(widths) < depth:
        widths.append(max(1, int(widths[-1] * taper)))
    return widths
