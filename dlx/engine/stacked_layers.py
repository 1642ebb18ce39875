"""The stacked version of each layer: the tensors of R layers in one, [R, ...], and one operation for all.

Axes and layouts as in stacked_model.py: flat data [R, B, F]; images [R, B, C, H, W] at the entry, and
[B, R*C, H, W] after the first layer.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlx.model.models import Dropout

Layer = TypeVar("Layer", bound=nn.Module)


class StackedLayer(nn.Module, Generic[Layer]):
    """Holds the members' parameters and buffers as stacked tensors; the members' own become views of them."""

    def __init__(self, members: Sequence[Layer]) -> None:
        super().__init__()
        self.members = list(members)  # a list, so that they do not become children of this module
        for name, parameter in members[0]._parameters.items():
            if parameter is None:  # bias=False
                self.register_parameter(name, None)
                continue
            tensors = [member.get_parameter(name).data for member in members]
            stacked = nn.Parameter(torch.stack(tensors), requires_grad=parameter.requires_grad)
            self.register_parameter(name, stacked)
            for row, member in enumerate(members):
                member.get_parameter(name).data = stacked.data[row]
        for name, buffer in members[0]._buffers.items():
            if buffer is None:
                self.register_buffer(name, None)
                continue
            whole = torch.stack([member.get_buffer(name) for member in members])
            self.register_buffer(name, whole)
            for row, member in enumerate(members):
                setattr(member, name, whole[row])


class StackedLinear(StackedLayer[nn.Linear]):
    """[R, B, F] -> [R, B, K] by one batched matrix product."""

    weight: Tensor  # [R, K, F]
    bias: Tensor | None  # [R, K]

    def forward(self, x_RBF: Tensor) -> Tensor:
        """Return each member's product with its own weights."""
        if not _is_shared(x_RBF):
            out: Tensor = _BatchedLinear.apply(x_RBF, self.weight, self.bias)
            return out
        x_BF = x_RBF[0]
        out_BRK = torch.mm(x_BF, self.weight.flatten(0, 1).T).view(len(x_BF), len(self.members), -1)
        return (out_BRK if self.bias is None else out_BRK + self.bias).transpose(0, 1)


class _BatchedLinear(torch.autograd.Function):
    """R linear layers as one product.

    torch's own backward pass computes the gradient of the weights as [R, F, K] and copies it into their
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
        needed = ctx.needs_input_grad
        return (
            torch.bmm(out_RBK, weight_RKF) if needed[0] else None,
            torch.bmm(out_RBK.transpose(1, 2), x_RBF) if needed[1] else None,
            out_RBK.sum(1) if needed[2] else None,
        )


class StackedConv2d(StackedLayer[nn.Conv2d]):
    """Images -> [B, R*K, H, W] by one grouped convolution."""

    weight: Tensor  # [R, K, C, h, w]
    bias: Tensor | None  # [R, K]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve each member's channels with its own kernels."""
        first, weight = self.members[0], self.weight.flatten(0, 1)
        bias = None if self.bias is None else self.bias.flatten()
        if _is_shared(x) and first.groups == 1:  # all kernels go over the one input
            return F.conv2d(x[0], weight, bias, first.stride, first.padding, first.dilation)
        x, groups = _join_channels(x), first.groups * len(self.members)
        return F.conv2d(x, weight, bias, first.stride, first.padding, first.dilation, groups)


class StackedBatchNorm(StackedLayer[nn.BatchNorm1d | nn.BatchNorm2d]):
    """torch's batch norm over R times the channels or features, with statistics for each member."""

    weight: Tensor | None  # [R, C], as are the other tensors
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None  # [R]

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the batch in training, by the running statistics in evaluation."""
        if isinstance(self.members[0], nn.BatchNorm1d):
            members, batch, features = x.shape
            # A single copy, because torch's kernel needs the channels side by side.
            normal = self._normalise(x.transpose(0, 1).reshape(batch, members * features))
            return normal.view(batch, members, features).transpose(0, 1)
        return self._normalise(_join_channels(x))

    def _normalise(self, x: Tensor) -> Tensor:
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        mean, variance, weight, bias = (
            None if tensor is None else tensor.flatten()
            for tensor in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        first = self.members[0]
        assert first.momentum is not None, "check_stackable refuses a cumulative average"
        by_batch = self.training or mean is None
        return F.batch_norm(x, mean, variance, weight, bias, by_batch, first.momentum, first.eps)


class StackedLayerNorm(StackedLayer[nn.LayerNorm]):
    """[R, B, F]: torch's layer norm, then each member's own scale and shift."""

    weight: Tensor | None  # [R, F]
    bias: Tensor | None

    def forward(self, x_RBF: Tensor) -> Tensor:
        """Normalise each sample's features."""
        normal = F.layer_norm(x_RBF, self.members[0].normalized_shape, eps=self.members[0].eps)
        if self.weight is not None:
            normal = normal * self.weight[:, None]
        return normal if self.bias is None else normal + self.bias[:, None]


class StackedDropout(StackedLayer[Dropout]):
    """Dropout with each member's own probability and generator: it draws the masks that it would alone."""

    generators: Sequence[torch.Generator] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with each member's dropped values zeroed; in evaluation `x` itself."""
        if not self.training or all(member.p == 0 for member in self.members):
            return x
        joined = x.dim() == 4
        shape = (x.shape[0], x.shape[1] // len(self.members), *x.shape[2:]) if joined else x.shape[1:]
        masks = [
            member.mask(torch.Size(shape), generator)
            if member.p > 0
            else torch.ones(shape, device=generator.device)
            for member, generator in zip(self.members, self.generators, strict=True)
        ]
        mask = torch.cat(masks, 1) if joined else torch.stack(masks)
        return x * mask.to(x.dtype)


class StackedFlatten(StackedLayer[nn.Flatten]):
    """Images or flat data -> [R, B, F]; no copy."""

    def forward(self, x: Tensor) -> Tensor:
        """Arrange each sample's values as a single model would."""
        if x.dim() == 4:  # [B, R*C, H, W]
            return x.reshape(x.shape[0], len(self.members), -1).transpose(0, 1)
        return x.flatten(2)


class StackedPool(StackedLayer[nn.Module]):
    """A pooling layer, applied to R times the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool each channel."""
        out: Tensor = self.members[0](_join_channels(x))
        return out


def split_by_member(x: Tensor, members: int) -> tuple[Tensor, ...]:
    """Split a stacked layer's output by member, [B, ...] as the member's own layer gives it."""
    if x.dim() == 4:  # [B, R*C, H, W]
        return x.view(len(x), members, -1, *x.shape[2:]).unbind(1)
    return x.unbind(0)


def _join_channels(x: Tensor) -> Tensor:
    """[R, B, C, H, W] -> [B, R*C, H, W]; images that already have this layout pass through."""
    return x.transpose(0, 1).flatten(1, 2) if x.dim() == 5 else x


def _is_shared(x: Tensor) -> bool:
    """Return whether `x` is an expanded view, the same input for all members."""
    return len(x) > 1 and x.dim() != 4 and x.stride(0) == 0


ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Identity)
POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)

STACKED_LAYERS: dict[type[nn.Module], Callable[[Sequence[Any]], nn.Module]] = {
    nn.Linear: StackedLinear,
    nn.Conv2d: StackedConv2d,
    nn.BatchNorm1d: StackedBatchNorm,
    nn.BatchNorm2d: StackedBatchNorm,
    nn.LayerNorm: StackedLayerNorm,
    Dropout: StackedDropout,
    nn.Flatten: StackedFlatten,
    **dict.fromkeys(ELEMENTWISE, lambda members: copy.deepcopy(members[0])),
    **dict.fromkeys(POOLINGS, StackedPool),
}
