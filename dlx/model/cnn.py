"""A pooled convolutional network for small images and few epochs: [B, C, H, W] -> [B, outputs]."""

from collections import OrderedDict
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from dlx.model.layers import ACTIVATIONS, Activation, Dropout
from dlx.model.registry import models
from dlx.model.shape import image_shape


@models.register("cnn")
class CNN(nn.Sequential):
    """One block for each entry of `channels`, each halving the image, then dropout and a linear layer.

    A block is `convolutions` times 3x3 convolution, norm, activation, and a 2x2 max pooling at its end.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (32, 64, 128),
        convolutions: Annotated[int, Field(ge=1)] = 1,
        norm: Literal["none", "batch"] = "batch",
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        incoming, height, width = image_shape("cnn", input_shape, smallest=2 ** len(channels))
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, outgoing in enumerate(channels, start=1):
            layers[f"block{number}"] = block(incoming, outgoing, convolutions, norm, activation)
            incoming = outgoing
            height, width = height // 2, width // 2
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = Dropout(dropout)
        layers["output"] = nn.Linear(incoming * height * width, outputs)
        super().__init__(layers)


def block(
    incoming: int, outgoing: int, convolutions: int, norm: Literal["none", "batch"], activation: Activation
) -> nn.Sequential:
    """Build one block: [B, incoming, H, W] -> [B, outgoing, H // 2, W // 2]."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(1, convolutions + 1):
        # A batch norm has a shift of its own: a bias before it would change nothing.
        layers[f"conv{number}"] = nn.Conv2d(incoming, outgoing, 3, padding=1, bias=norm == "none")
        if norm == "batch":
            layers[f"norm{number}"] = nn.BatchNorm2d(outgoing)
        layers[f"activation{number}"] = ACTIVATIONS[activation]()
        incoming = outgoing
    layers["pool"] = nn.MaxPool2d(2)
    return nn.Sequential(layers)
