"""The linear classifier, the yardstick of every deeper network: [B, C, H, W] or [B, F] -> [B, outputs]."""

from collections import OrderedDict

from torch import nn

from dlx.model.registry import models
from dlx.model.shape import feature_count


@models.register("linear")
class LinearModel(nn.Sequential):
    """One linear layer and no hidden one; with cross-entropy this is logistic regression."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, bias: bool = True) -> None:
        output = nn.Linear(feature_count(input_shape), outputs, bias=bias)
        super().__init__(OrderedDict(flatten=nn.Flatten(), output=output))
