"""LeNet-5 (LeCun et al. 1998, figure 2) as it is built today: [B, C, H, W] -> [B, outputs]."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import nn

from dlx.model.layers import ACTIVATIONS, Activation
from dlx.model.registry import models
from dlx.model.shape import image_shape

POOLS: dict[str, Callable[[int], nn.Module]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


@models.register("lenet")
class LeNet(nn.Sequential):
    """Convolution 6 of 5x5, pool, convolution 16 of 5x5, pool, then 120-84-outputs.

    Images under 32 pixels a side get 2 zeros on each, as the paper laid its 28x28 digits into 32x32, so
    that both give the classical 16 x 5 x 5 before the first linear layer. Needs 12 x 12 pixels.
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
        features = 16 * after(height, padding) * after(width, padding)
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


def after(side: int, padding: int) -> int:
    """Return what is left of `side` pixels after both convolutions and poolings: (28, 2) -> 5."""
    pooled = (side + 2 * padding - 4) // 2
    return (pooled - 4) // 2
