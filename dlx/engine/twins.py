"""The stacked twin of each layer: R layers' tensors in one, [R, ...], and one operation for all.

Axes and layouts as in stack.py: flat [R, B, F]; images [R, B, C, H, W] at the entry, [B, R*C, H, W] after.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlx.model.models import Dropout


class Twin(nn.Module):
    """Holds the members' parameters and buffers stacked; the members' own become views of them."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = len(members)
        for name, parameter in members[0].named_parameters(recurse=False):
            tensors = [member.get_parameter(name).data for member in members]
            whole = nn.Parameter(torch.stack(tensors), requires_grad=parameter.requires_grad)
            self.register_parameter(name, whole)
            for row, member in enumerate(members):
                member.get_parameter(name).data = whole.data[row]
        for name, _ in members[0].named_buffers(recurse=False):
            stacked = torch.stack([member.get_buffer(name) for member in members])
            self.register_buffer(name, stacked)
            for row, member in enumerate(members):
                setattr(member, name, stacked[row])


class LinearTwin(Twin):
    """[R, B, F] -> [R, B, K] by one batched matrix product."""

    weight: Tensor  # [R, K, F]
    bias: Tensor | None  # [R, K]

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__(members)
        first = members[0]
        assert isinstance(first, nn.Linear)
        if cast(Tensor | None, first.bias) is None:  # torch's types say that it is always there
            self.bias = None

    def forward(self, x_RBF: Tensor) -> Tensor:
        """Return each member's product with its own weights."""
        if _shared(x_RBF):
            return self._of_one_input(x_RBF[0])
        out: Tensor = _Products.apply(x_RBF, self.weight, self.bias)
        return out

    def _of_one_input(self, x_BF: Tensor) -> Tensor:
        out_BRK = torch.mm(x_BF, self.weight.flatten(0, 1).T).view(len(x_BF), self.members, -1)
        return (out_BRK if self.bias is None else out_BRK + self.bias).transpose(0, 1)


class _Products(torch.autograd.Function):
    """R linear layers as one product.

    torch's own backward pass gives the weights' gradient as [R, F, K], which is then copied into the weights'
    layout: 784-128-64-10 took 700 us a run-step with that copy, 240 without.
    """

    @staticmethod
    def forward(ctx: Any, x_RBF: Tensor, weight_RKF: Tensor, bias_RK: Tensor | None) -> Tensor:
        ctx.save_for_backward(x_RBF, weight_RKF)
        weight_RFK = weight_RKF.transpose(1, 2)
        if bias_RK is None:
            return torch.bmm(x_RBF, weight_RFK)
        return torch.baddbmm(bias_RK[:, None, :], x_RBF, weight_RFK)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (out_RBK,) = gradients
        x_RBF, weight_RKF = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            torch.bmm(out_RBK, weight_RKF) if wanted[0] else None,
            torch.bmm(out_RBK.transpose(1, 2), x_RBF) if wanted[1] else None,
            out_RBK.sum(1) if wanted[2] else None,
        )


class ConvTwin(Twin):
    """Images -> [B, R*K, H, W] by one grouped convolution."""

    weight: Tensor  # [R, K, C, h, w]
    bias: Tensor | None  # [R, K]

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__(members)
        first = members[0]
        assert isinstance(first, nn.Conv2d)
        self.stride, self.dilation, self.groups = first.stride, first.dilation, first.groups
        self.padding = first.padding
        if first.bias is None:
            self.bias = None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve each member's channels with its own kernels."""
        weight, bias = self.weight.flatten(0, 1), None if self.bias is None else self.bias.flatten()
        if _shared(x) and self.groups == 1:  # all kernels go over the one input
            return F.conv2d(x[0], weight, bias, self.stride, self.padding, self.dilation)
        groups = self.groups * self.members
        return F.conv2d(grouped(x), weight, bias, self.stride, self.padding, self.dilation, groups)


class BatchNormTwin(Twin):
    """torch's own batch norm over R times the channels (or features): statistics by member."""

    weight: Tensor | None  # [R, C], as the others
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None  # [R]

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__(members)
        first = members[0]
        assert isinstance(first, nn.BatchNorm1d | nn.BatchNorm2d)
        assert first.momentum is not None, "a cumulative average is turned away before"
        self.eps, self.momentum, self.flat = first.eps, first.momentum, isinstance(first, nn.BatchNorm1d)
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            if getattr(first, name) is None:
                self.register_buffer(name, None)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the batch in training, by the running statistics in evaluation."""
        if self.flat:
            members, batch, features = x.shape
            # One copy: torch's kernel wants the channels side by side.
            normal = self._normalise(x.transpose(0, 1).reshape(batch, members * features))
            return normal.view(batch, members, features).transpose(0, 1)
        return self._normalise(grouped(x))

    def _normalise(self, x: Tensor) -> Tensor:
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        mean, variance, weight, bias = (
            None if tensor is None else tensor.flatten()
            for tensor in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        by_batch = self.training or mean is None
        return F.batch_norm(x, mean, variance, weight, bias, by_batch, self.momentum, self.eps)


class LayerNormTwin(Twin):
    """[R, B, F]: torch's layer norm, then each member's own scale and shift."""

    weight: Tensor | None  # [R, F]
    bias: Tensor | None

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__(members)
        first = members[0]
        assert isinstance(first, nn.LayerNorm)
        self.shape, self.eps = first.normalized_shape, first.eps
        for name in ("weight", "bias"):
            if getattr(first, name) is None:
                self.register_buffer(name, None)

    def forward(self, x_RBF: Tensor) -> Tensor:
        """Normalise each sample's features."""
        normal = F.layer_norm(x_RBF, self.shape, eps=self.eps)
        if self.weight is not None:
            normal = normal * self.weight[:, None]
        return normal if self.bias is None else normal + self.bias[:, None]


class DropoutTwin(Twin):
    """Each member's own probability and generator: the very masks it would draw alone."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__(members)
        assert all(isinstance(member, Dropout) for member in members)
        self.layers = [
            cast(Dropout, member) for member in members
        ]  # in a list, so that they are not this module's children
        self.generators: list[torch.Generator] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with each member's dropped values zeroed; evaluation passes it unchanged."""
        if not self.training or all(layer.p == 0 for layer in self.layers):
            return x
        axis = 1 if x.dim() == 4 else 0
        shape = (x.shape[0], x.shape[1] // self.members, *x.shape[2:]) if x.dim() == 4 else x.shape[1:]
        masks = [
            layer.mask(torch.Size(shape), generator)
            if layer.p > 0
            else torch.ones(shape, device=generator.device)
            for layer, generator in zip(self.layers, self.generators, strict=True)
        ]
        mask = torch.cat(masks, 1) if axis else torch.stack(masks)
        return x * mask.to(x.dtype)


class FlattenTwin(nn.Module):
    """Images or flat data -> [R, B, F]; no copy."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = len(members)

    def forward(self, x: Tensor) -> Tensor:
        """Lay out each sample's values in the order of a lone model."""
        if x.dim() == 4:  # [B, R*C, H, W]
            return x.reshape(x.shape[0], self.members, -1).transpose(0, 1)
        return x.flatten(2)


class GroupedTwin(nn.Module):
    """A layer without parameters that works on each channel by itself: pooling."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = [copy.deepcopy(members[0])]  # in a list, so that this is a layer and not around one

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to R times the channels."""
        out: Tensor = self.layers[0](grouped(x))
        return out


def elementwise(members: Sequence[nn.Module]) -> nn.Module:
    """Return a copy of a layer that works on each value by itself, which any layout suits."""
    return copy.deepcopy(members[0])


def by_member(x: Tensor, members: int) -> tuple[Tensor, ...]:
    """Return each member's part of what a twin gave, [B, ...] as the member's own layer gives it."""
    if x.dim() == 4:  # [B, R*C, H, W]
        return x.view(len(x), members, -1, *x.shape[2:]).unbind(1)
    return x.unbind(0)


def _shared(x: Tensor) -> bool:
    """Say whether all members are given one and the same input, an expanded view."""
    return len(x) > 1 and x.dim() != 4 and x.stride(0) == 0


def grouped(x: Tensor) -> Tensor:
    """[R, B, C, H, W] -> [B, R*C, H, W]; what is grouped already passes through."""
    return x.transpose(0, 1).flatten(1, 2) if x.dim() == 5 else x


ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Identity)
POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)

TWINS: dict[type[nn.Module], Callable[[Sequence[nn.Module]], nn.Module]] = {
    nn.Linear: LinearTwin,
    nn.Conv2d: ConvTwin,
    nn.BatchNorm1d: BatchNormTwin,
    nn.BatchNorm2d: BatchNormTwin,
    nn.LayerNorm: LayerNormTwin,
    Dropout: DropoutTwin,
    nn.Flatten: FlattenTwin,
    **dict.fromkeys(ELEMENTWISE, elementwise),
    **dict.fromkeys(POOLINGS, GroupedTwin),
}
