"""Convolutions at full resolution and one linear layer: [B, C, H, W] -> [B, outputs]."""

from collections import OrderedDict
from typing import Annotated

from pydantic import Field
from torch import nn

from dlx.model.layers import ACTIVATIONS, Activation
from dlx.model.registry import models
from dlx.model.shape import image_shape


@models.register("convnet")
class ConvNet(nn.Sequential):
    """The three-layer ConvNet of CS231n's PyTorch assignment: no pooling, no norm.

    The first convolution is 5x5 with padding 2, every further one 3x3 with padding 1, each with its
    activation; `channels` lists how many each puts out.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (32, 16),
        activation: Activation = "relu",
    ) -> None:
        incoming, height, width = image_shape("convnet", input_shape)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, outgoing in enumerate(channels, start=1):
            kernel = 5 if number == 1 else 3
            layers[f"conv{number}"] = nn.Conv2d(incoming, outgoing, kernel, padding=kernel // 2)
            layers[f"activation{number}"] = ACTIVATIONS[activation]()
            incoming = outgoing
        layers["flatten"] = nn.Flatten()
        layers["output"] = nn.Linear(incoming * height * width, outputs)
        super().__init__(layers)
