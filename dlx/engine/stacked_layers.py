"""The stacked version of each layer: the tensors of R layers in one, [R, ...], and one operation for all.

Axes: R members, B batch, C channels, H height, W width, F features, K outputs. Flat data is [R, B, F]. Images
come in as [R, B, C, H, W]; from the first convolution, norm or pooling on, they are [B, R*C, H, W]: grouped
convolutions and torch's own batch norm and pooling see R times the channels.
"""

import copy
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlx.model.models import Dropout

Layer = TypeVar("Layer", bound=nn.Module)
Layout = Literal["flat", "images"]


class StackedLayer(nn.Module, Generic[Layer]):
    """Holds the members' parameters and buffers as stacked tensors; the members' own become views of them.

    It takes data in the layout `takes`, None for either, and returns it in `gives`, None for the same.
    """

    takes: ClassVar[Layout | None] = None
    gives: ClassVar[Layout | None] = None

    def __init__(self, members: Sequence[Layer]) -> None:
        super().__init__()
        self.members = list(members)  # a list, so that they do not become children of this module
        for name, parameter in members[0]._parameters.items():
            stacked = None
            if parameter is not None:  # as with bias=False
                rows = share_rows([member.get_parameter(name) for member in members])
                stacked = nn.Parameter(rows, requires_grad=parameter.requires_grad)
            self.register_parameter(name, stacked)
        for name, buffer in members[0]._buffers.items():
            rows_or_none = None if buffer is None else share_rows([m.get_buffer(name) for m in members])
            self.register_buffer(name, rows_or_none)

    @classmethod
    def unlike(cls, layer: Any) -> str:  # noqa: ARG003 - most do all that their layer does
        """Return the setting of `layer` that this class does not honour; "" if there is none."""
        return ""


def share_rows(members: Sequence[Tensor]) -> Tensor:
    """Return the members' tensors as one, [R, ...]; each becomes a view of its row."""
    stacked = torch.stack([member.data for member in members])
    for row, member in enumerate(members):
        member.data = stacked[row]
    return stacked


class StackedLinear(StackedLayer[nn.Linear]):
    """[R, B, F] -> [R, B, K] by one batched matrix product."""

    takes = gives = "flat"
    weight: Tensor  # [R, K, F]
    bias: Tensor | None  # [R, K]

    def forward(self, x_RBF: Tensor) -> Tensor:
        """Return each member's product with its own weights."""
        if not _is_shared(x_RBF):
            out: Tensor = BatchedLinear.apply(x_RBF, self.weight, self.bias)
            return out
        x_BF = x_RBF[0]
        out_BRK = torch.mm(x_BF, self.weight.flatten(0, 1).T).view(len(x_BF), len(self.members), -1)
        return (out_BRK if self.bias is None else out_BRK + self.bias).transpose(0, 1)


class BatchedLinear(torch.autograd.Function):
    """R linear layers as one product.

    torch's own backward pass computes the gradient of the weights as [R, F, K] and copies it into their
    layout: 784-128-64-10 took 700 us a run-step with that copy, 240 without.
    """

    @staticmethod
    def forward(ctx: Any, x_RBF: Tensor, weight_RKF: Tensor, bias_RK: Tensor | None) -> Tensor:
        """Return [R, B, K]; within torch.autocast in its type, as torch's own layer does."""
        if torch.is_autocast_enabled(x_RBF.device.type):
            dtype = torch.get_autocast_dtype(x_RBF.device.type)
            x_RBF, weight_RKF = x_RBF.to(dtype), weight_RKF.to(dtype)
            bias_RK = None if bias_RK is None else bias_RK.to(dtype)
        ctx.save_for_backward(x_RBF, weight_RKF)
        weight_RFK = weight_RKF.transpose(1, 2)
        if bias_RK is None:
            return torch.bmm(x_RBF, weight_RFK)
        return torch.baddbmm(bias_RK[:, None, :], x_RBF, weight_RFK)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the inputs, the weights and the biases that need one."""
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

    takes = gives = "images"
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

    @classmethod
    def unlike(cls, layer: nn.Conv2d) -> str:
        """Refuse other padding than by zeros."""
        return "" if layer.padding_mode == "zeros" else f"padding_mode={layer.padding_mode}"


class StackedBatchNorm(StackedLayer[nn.BatchNorm1d | nn.BatchNorm2d]):
    """torch's batch norm over R times the channels or features, with statistics for each member."""

    weight: Tensor | None  # [R, C], as are the other tensors
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None  # [R]

    @classmethod
    def unlike(cls, layer: nn.BatchNorm1d | nn.BatchNorm2d) -> str:
        """Refuse what evaluates by the batch, and an average over all batches."""
        if not layer.track_running_stats:
            return "track_running_stats=False"
        return "momentum=None" if layer.momentum is None else ""

    def _normalise(self, x: Tensor) -> Tensor:
        """Normalise [B, R*C, ...] by the batch in training, by the running statistics in evaluation."""
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        mean, variance, weight, bias = (
            None if tensor is None else tensor.flatten()
            for tensor in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        first = self.members[0]
        assert first.momentum is not None, "`unlike` refuses it"
        return F.batch_norm(x, mean, variance, weight, bias, self.training, first.momentum, first.eps)


class StackedBatchNorm1d(StackedBatchNorm):
    """[R, B, F]."""

    takes = gives = "flat"

    def forward(self, x_RBF: Tensor) -> Tensor:
        """Normalise each feature."""
        members, batch, features = x_RBF.shape
        # A single copy, because torch's kernel needs the channels side by side.
        normal = self._normalise(x_RBF.transpose(0, 1).reshape(batch, members * features))
        return normal.view(batch, members, features).transpose(0, 1)


class StackedBatchNorm2d(StackedBatchNorm):
    """Images -> [B, R*C, H, W]."""

    takes = gives = "images"

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel."""
        return self._normalise(_join_channels(x))


class StackedGroupNorm(StackedLayer[nn.GroupNorm]):
    """Images -> [B, R*C, H, W]: torch's group norm over R times the groups."""

    takes = gives = "images"
    weight: Tensor | None  # [R, C]
    bias: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each sample's groups of channels."""
        first = self.members[0]
        weight, bias = (None if each is None else each.flatten() for each in (self.weight, self.bias))
        return F.group_norm(_join_channels(x), first.num_groups * len(self.members), weight, bias, first.eps)


class StackedLayerNorm(StackedLayer[nn.LayerNorm]):
    """[R, B, F]: torch's layer norm, then each member's own scale and shift."""

    takes = gives = "flat"
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
        return x * self.draw(x)

    def draw(self, x: Tensor) -> Tensor:
        """Draw what `x` is multiplied by in training."""
        joined = x.dim() == 4
        shape = (x.shape[0], x.shape[1] // len(self.members), *x.shape[2:]) if joined else x.shape[1:]
        masks = draw_masks(self.members, self.generators, torch.Size(shape))
        return (torch.cat(masks, 1) if joined else torch.stack(masks)).to(x.dtype)

    @classmethod
    def unlike(cls, layer: Dropout) -> str:
        """Refuse dropout that changes its input."""
        return "inplace=True" if layer.inplace else ""


def draw_masks(
    members: Sequence[Dropout], generators: Sequence[torch.Generator], shape: torch.Size
) -> list[Tensor]:
    """Draw each member's mask for values of this shape, from its own generator."""
    return [
        member.mask(shape, generator)
        if member.p > 0
        else torch.ones(member.mask_shape(shape), device=generator.device)
        for member, generator in zip(members, generators, strict=True)
    ]


class StackedFlatten(StackedLayer[nn.Flatten]):
    """Images or flat data -> [R, B, F]; no copy."""

    gives = "flat"

    def forward(self, x: Tensor) -> Tensor:
        """Arrange each sample's values as a single model would."""
        if x.dim() == 4:  # [B, R*C, H, W]
            return x.reshape(x.shape[0], len(self.members), -1).transpose(0, 1)
        return x.flatten(2)

    @classmethod
    def unlike(cls, layer: nn.Flatten) -> str:
        """Refuse to flatten some of the axes only."""
        axes = (layer.start_dim, layer.end_dim)
        return "" if axes == (1, -1) else f"start_dim={axes[0]}, end_dim={axes[1]}"


class StackedByChannel(StackedLayer[nn.Module]):
    """A layer that treats each channel by itself, applied to R times the channels."""

    takes = gives = "images"

    def forward(self, x: Tensor) -> Tensor:
        """Pool, pad or resize each channel."""
        out: Tensor = self.members[0](_join_channels(x))
        return out


class StackedElementwise(StackedLayer[nn.Module]):
    """A layer that treats each value by itself. It never works in place: the input may be shared."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__(members)
        self.members = [copy.copy(members[0])]
        if hasattr(self.members[0], "inplace"):
            self.members[0].inplace = False  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function to each value."""
        out: Tensor = self.members[0](x)
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
