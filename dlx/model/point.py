"""A point of the plane, the same for every input: [B, ...] -> [B, 2]."""

from typing import Annotated

import torch
from pydantic import AllowInfNan
from torch import Tensor, nn

from dlx.errors import RequestError
from dlx.model.registry import models

Coordinate = Annotated[float, AllowInfNan(False)]


@models.register("point")
class Point(nn.Module):
    """Two parameters, x and y, which begin at `start` and are the outputs of every sample."""

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
                f"model.name=point: has 2 outputs, x and y, and {outputs} are needed; loss=surface?"
            )
        # Float64 until the caller casts it: a start of 0.1 would not survive float32.
        self.point = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the point [B, 2]."""
        return self.point.expand(len(inputs), 2)
