"""The height of a surface f(x, y) at the model's two outputs.

Axes: B samples of a batch, N samples of a split, K = 2 outputs, x and y.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from dlx.expression import Expression
from dlx.loss.registry import Loss, losses
from dlx.surfaces import surface


@losses.register("surface")
@dataclass(frozen=True)
class Surface(Loss):
    """f at the outputs, whatever the labels; `function` is a name (see surfaces.py) or a formula in x and y.

    There is no right answer and so no accuracy; histories have the columns x and y instead.
    """

    function: str
    height: Expression = field(init=False)
    classifies: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", surface(self.function))

    def outputs(self, classes: int) -> int:  # noqa: ARG002 - labels do not matter here
        """Two, x and y."""
        return 2

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:  # noqa: ARG002
        """Return [B]."""
        return self.height(outputs_BK[:, 0], outputs_BK[:, 1], torch)

    def measures(self, outputs_NK: Tensor, labels_N: Tensor) -> dict[str, float]:  # noqa: ARG002
        """Return where the point is, the mean of the samples' (data=surface has one)."""
        x, y = outputs_NK.mean(0).tolist()
        return {"x": x, "y": y}
