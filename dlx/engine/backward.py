"""The backward pass from a given gradient, without torch's check of it, which first imports sympy."""

from typing import Any

import torch
from torch import Tensor


def backward(outputs: Tensor, gradient: Tensor) -> None:
    """Do as `outputs.backward(gradient)`, for a gradient of the same shape.

    torch would compare the shapes as its compiler does. Importing that took 0.6 s of a command's first step.
    """
    with torch.enable_grad():
        _Given.apply(outputs, gradient).backward()


class _Given(torch.autograd.Function):
    """Some number whose gradient by the outputs is the given one."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, gradient: Tensor) -> Tensor:
        """Keep the gradient."""
        ctx.save_for_backward(gradient)
        return outputs.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        """Return the gradient by the outputs."""
        (gradient,) = ctx.saved_tensors
        return gradient, None
