"""Layers written out: forward and backward by the kernels that autograd calls, without its graph.

Each part keeps what its backward pass needs until the next forward pass.
Axes: R runs of a stack, or none; B of a batch, I inputs and O outputs of a linear layer, F features.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlx.engine.stacked_layers import StackedDropout, StackedElementwise, StackedLinear
from dlx.model.models import Dropout

kernels = torch.ops.aten

# The gradient by an activation's inputs x, from that by its outputs y: of(gradient, layer, x, y).
OfInputs = Callable[[Tensor, Any, Tensor, Tensor], Tensor]
ACTIVATIONS: dict[type[nn.Module], OfInputs] = {
    nn.ReLU: lambda g, _, _x, y: kernels.threshold_backward.default(g, y, 0),
    nn.LeakyReLU: lambda g, layer, x, _y: kernels.leaky_relu_backward.default(
        g, x, layer.negative_slope, False
    ),
    nn.ELU: lambda g, layer, x, _y: kernels.elu_backward.default(g, layer.alpha, 1, 1, False, x),
    nn.GELU: lambda g, layer, x, _y: kernels.gelu_backward.default(g, x, approximate=layer.approximate),
    nn.SiLU: lambda g, _, x, _y: kernels.silu_backward.default(g, x),
    nn.Tanh: lambda g, _, _x, y: kernels.tanh_backward.default(g, y),
    nn.Sigmoid: lambda g, _, _x, y: kernels.sigmoid_backward.default(g, y),
}


class WrittenOut(ABC):
    """A layer in training. Its `backward` follows its `forward`, and sets its parameters' gradients."""

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Return the layer's outputs; the next `forward` may overwrite them."""

    @abstractmethod
    def backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the inputs, given that by the outputs."""


def write_out(layer: nn.Module, *, first: bool) -> WrittenOut | None:
    """Return a layer written out, None if it is of another kind. `first`: nothing before it is trained."""
    if not all(parameter.requires_grad for parameter in layer.parameters()):
        return None
    if type(layer) in (nn.Linear, StackedLinear):
        return Linear(layer, first=first)
    if type(layer) is nn.BatchNorm1d and BatchNorm.suits(layer):
        return BatchNorm(layer)
    if isinstance(layer, StackedDropout) or type(layer) is Dropout:
        return Masked(layer)
    alone = layer.members[0] if isinstance(layer, StackedElementwise) else layer
    if type(alone) is nn.ReLU or (type(alone) in ACTIVATIONS and not getattr(alone, "inplace", False)):
        return Activation(alone)
    return None


class Linear(WrittenOut):
    """[..., B, I] -> [..., B, O], of one run or of a stack."""

    def __init__(self, layer: Any, *, first: bool) -> None:
        self._weight: Tensor = layer.weight  # [..., O, I]
        self._bias: Tensor | None = layer.bias  # [..., O]
        self._weight_mT = layer.weight.detach().mT
        self._bias_row = None if layer.bias is None else layer.bias.detach().unsqueeze(-2)
        alone = layer.weight.dim() == 2
        self._multiply = torch.mm if alone else torch.bmm
        self._multiply_and_add = torch.addmm if alone else torch.baddbmm
        self._first = first
        self._gradients = [torch.empty_like(parameter) for parameter in layer.parameters()]
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}  # outputs and the inputs' gradient, by B

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply, into memory that is kept for batches of this size."""
        *rows, size, _ = inputs.shape
        if size not in self._kept:
            outputs = inputs.new_empty([*rows, size, self._weight.shape[-2]])
            self._kept[size] = outputs, torch.empty_like(inputs, memory_format=torch.contiguous_format)
        self._inputs, outputs = inputs, self._kept[size][0]
        if self._bias_row is None:
            return self._multiply(inputs, self._weight_mT, out=outputs)
        return self._multiply_and_add(self._bias_row, inputs, self._weight_mT, out=outputs)

    def backward(self, gradient: Tensor) -> Tensor:
        """Multiply the other way; without a gradient by the inputs if nobody needs it."""
        self._weight.grad = self._multiply(gradient.mT, self._inputs, out=self._gradients[0])
        if self._bias is not None:
            self._bias.grad = torch.sum(gradient, -2, out=self._gradients[1])
        if self._first:
            return gradient
        return self._multiply(gradient, self._weight, out=self._kept[gradient.shape[-2]][1])


class Activation(WrittenOut):
    """A function of each value."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer, self._gradient = layer, ACTIVATIONS[type(layer)]

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the function."""
        outputs: Tensor = self._layer.forward(inputs)
        self._inputs, self._outputs = inputs, outputs
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        """Multiply by the derivative."""
        return self._gradient(gradient, self._layer, self._inputs, self._outputs)


class Masked(WrittenOut):
    """Dropout, of one run or of a stack."""

    def __init__(self, layer: Dropout | StackedDropout) -> None:
        self._layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        """Draw a mask and multiply by it."""
        self._mask = self._layer.draw(inputs)
        return inputs * self._mask

    def backward(self, gradient: Tensor) -> Tensor:
        """Multiply by the mask."""
        return gradient * self._mask


class BatchNorm(WrittenOut):
    """Batch norm of [B, F], with running statistics, of one run."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    @staticmethod
    def suits(layer: nn.BatchNorm1d) -> bool:
        """Return whether a layer scales, shifts and keeps running statistics with a momentum."""
        return layer.affine and layer.track_running_stats and layer.momentum is not None

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise by the batch, and update the running statistics."""
        layer, self._inputs = self._layer, inputs
        layer.num_batches_tracked.add_(1)
        outputs, *self._statistics = torch.native_batch_norm(
            inputs,
            *(layer.weight, layer.bias, layer.running_mean, layer.running_var),
            training=True,
            momentum=layer.momentum,
            eps=layer.eps,
        )
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the inputs."""
        layer = self._layer
        of_inputs: Tensor
        of_inputs, layer.weight.grad, layer.bias.grad = kernels.native_batch_norm_backward.default(
            *(gradient, self._inputs, layer.weight, layer.running_mean, layer.running_var),
            *(*self._statistics, True, layer.eps, [True, True, True]),
        )
        return of_inputs
