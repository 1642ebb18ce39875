"""Fully connected networks: [B, C, H, W] or [B, F] -> [B, outputs]."""

from collections import OrderedDict
from math import prod
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from dlx.model.models import ACTIVATIONS, MOST_LAYERS, Activation, Count, Dropout, Probability, models

Norm = Literal["none", "batch", "layer"]
NORMS: dict[Norm, type[nn.BatchNorm1d | nn.LayerNorm]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


@models.register("linear")
class LinearModel(nn.Sequential):
    """A single linear layer, the baseline for deeper networks; with cross-entropy, logistic regression."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, bias: bool = True) -> None:
        output = nn.Linear(prod(input_shape), outputs, bias=bias)
        super().__init__(OrderedDict(flatten=nn.Flatten(), output=output))


@models.register("mlp")
class MLP(nn.Sequential):
    """Hidden layers of linear, norm, activation and dropout, then a linear output layer.

    `width` is that of the first hidden layer. Each further one is `taper` times as wide as the one before,
    rounded down and at least 1: depth 2 at width 128 gives 128-64, and taper 1 keeps all equal. `sizes` lists
    all hidden widths instead; [] means no hidden layer.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        width: Count = 128,
        depth: Annotated[int, Field(ge=0, le=MOST_LAYERS)] = 2,
        taper: Annotated[float, Field(gt=0, le=1)] = 0.5,
        sizes: Annotated[list[Count], Field(max_length=MOST_LAYERS)] | None = None,
        norm: Norm = "none",
        activation: Activation = "relu",
        dropout: Probability = 0.0,
        bias: bool = True,
    ) -> None:
        features = prod(input_shape)
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for number, size in enumerate(tapered(width, depth, taper) if sizes is None else sizes, start=1):
            layers[f"linear{number}"] = nn.Linear(features, size, bias=bias)
            if norm != "none":
                layers[f"norm{number}"] = NORMS[norm](size)
            layers[f"activation{number}"] = ACTIVATIONS[activation]()
            # Also at p = 0: runs that differ only in dropout then have the same layers and can be stacked.
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
