"""Gradient descent on f(x, y): the data, the model and the loss that `data=surface` trains.

Axes: B samples of a batch, N samples of a split, K = 2 outputs, x and y.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import AllowInfNan
from torch import Tensor, nn

from dlx.data.source import Arrays, Source, sources
from dlx.errors import RequestError
from dlx.loss.losses import Loss, losses
from dlx.model.models import models
from dlx.surface.formula import Formula, surface_formula

Coordinate = Annotated[float, AllowInfNan(False)]


@sources.register("surface")
def surface(root: Path) -> Source:  # noqa: ARG001 - nothing is read
    """Return one sample, a 0 of shape [1], for training and for validation; the outputs are x and y.

    Validation follows the step, so the validation loss of epoch t is f after t steps.
    """
    sample = Arrays(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.long))
    return Source(("x", "y"), train=sample, validation=sample)


@models.register("point")
class Point(nn.Module):
    """Two parameters, x and y, which start at `start` and are the outputs for every sample."""

    def __init__(
        self,
        input_shape: tuple[int, ...],  # noqa: ARG002 - the same point for every input
        outputs: int,
        *,
        start: tuple[Coordinate, Coordinate],
    ) -> None:
        super().__init__()
        if outputs != 2:
            raise RequestError(
                f"model.name=point: has 2 outputs, x and y, and {outputs} are needed; use loss=surface"
            )
        # Float64 until the caller casts it: float32 would change a start of 0.1.
        self.point = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the point for each sample, [B, 2]."""
        return self.point.expand(len(inputs), 2)


@losses.register("surface")
@dataclass(frozen=True)
class Height(Loss):
    """The height f(x, y) at the outputs, whatever the labels; `function` is a name or a formula.

    There is no accuracy, because there are no classes; histories have the columns x and y instead.
    """

    function: str
    height: Formula = field(init=False)
    classifies: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", surface_formula(self.function))

    def outputs(self, classes: int) -> int:  # noqa: ARG002 - labels do not matter here
        """Return 2: x and y."""
        return 2

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:  # noqa: ARG002
        """Return [B]."""
        return self.height(outputs_BK[:, 0], outputs_BK[:, 1], torch)

    def measures(self, outputs_NK: Tensor, labels_N: Tensor) -> dict[str, float]:  # noqa: ARG002
        """Return the point, averaged over the samples (data=surface has one)."""
        x, y = outputs_NK.mean(0).tolist()
        return {"x": x, "y": y}
