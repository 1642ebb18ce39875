"""Convolutional networks without shortcuts: [B, C, H, W] -> [B, outputs]."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import nn

from dlx.model.models import (
    ACTIVATIONS,
    Activation,
    Counts,
    Dropout,
    Layers,
    Probability,
    image_shape,
    models,
)

POOLS: dict[str, Callable[[int], nn.Module]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}
Norm = Literal["none", "batch"]


@models.register("cnn")
class CNN(nn.Sequential):
    """One block per entry of `channels`, each halving the image, then dropout and a linear layer.

    A block is `convolutions` times (3x3 convolution, norm, activation), then 2x2 max pooling.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        channels: Counts = (32, 64, 128),
        convolutions: Layers = 1,
        norm: Norm = "batch",
        activation: Activation = "relu",
        dropout: Probability = 0.0,
    ) -> None:
        incoming, height, width = image_shape("cnn", input_shape, smallest=2 ** len(channels))
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, outgoing in enumerate(channels, start=1):
            layers[f"block{number}"] = _block(incoming, outgoing, convolutions, norm, activation)
            incoming = outgoing
            height, width = height // 2, width // 2
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = Dropout(dropout)
        layers["output"] = nn.Linear(incoming * height * width, outputs)
        super().__init__(layers)


def _block(
    incoming: int, outgoing: int, convolutions: int, norm: Norm, activation: Activation
) -> nn.Sequential:
    """Build one block: [B, incoming, H, W] -> [B, outgoing, H // 2, W // 2]."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(1, convolutions + 1):
        # No bias before a batch norm, which has a shift of its own.
        layers[f"conv{number}"] = nn.Conv2d(incoming, outgoing, 3, padding=1, bias=norm == "none")
        if norm == "batch":
            layers[f"norm{number}"] = nn.BatchNorm2d(outgoing)
        layers[f"activation{number}"] = ACTIVATIONS[activation]()
        incoming = outgoing
    layers["pool"] = nn.MaxPool2d(2)
    return nn.Sequential(layers)


@models.register("convnet")
class ConvNet(nn.Sequential):
    """The three-layer ConvNet of CS231n's PyTorch assignment: full resolution, no pooling, no norm.

    `channels` lists the outputs of each convolution. The first is 5x5 with padding 2, every further one 3x3
    with padding 1, each followed by its activation; a linear layer ends the network.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        channels: Counts = (32, 16),
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


@models.register("lenet")
class LeNet(nn.Sequential):
    """LeNet-5 (LeCun et al. 1998, figure 2) as it is built today.

    5x5 convolution to 6 channels, pool, 5x5 convolution to 16 channels, pool, then 120-84-outputs. Images
    under 32 pixels a side are padded by 2, as the paper put its 28x28 digits in 32x32. Both sizes then give
    the classical 16 x 5 x 5 before the first linear layer. Needs at least 12 x 12 pixels.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        activation: Activation = "relu",
        pool: Literal["max", "avg"] = "max",
    ) -> None:
        channels, height, width = image_shape("lenet", input_shape, smallest=12)
        padding = 2 if min(height, width) < 32 else 0
        act = ACTIVATIONS[activation]
        features = 16 * _pooled_side(height, padding) * _pooled_side(width, padding)
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(channels, 6, 5, padding=padding),
                activation1=act(),
                pool1=POOLS[pool](2),
                conv2=nn.Conv2d(6, 16, 5),
                activation2=act(),
                pool2=POOLS[pool](2),
                flatten=nn.Flatten(),
                linear1=nn.Linear(features, 120),
                activation3=act(),
                linear2=nn.Linear(120, 84),
                activation4=act(),
                output=nn.Linear(84, outputs),
            )
        )


def _pooled_side(side: int, padding: int) -> int:
    """Return how many of `side` pixels are left after both convolutions and poolings: (28, 2) -> 5."""
    return ((side + 2 * padding - 4) // 2 - 4) // 2
