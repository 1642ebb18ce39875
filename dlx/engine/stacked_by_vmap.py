"""Stacks any other module: torch.func.vmap runs one member's forward over the parameters of all.

Its operations get a leading axis R inside torch. What a forward draws, and where a number decides what it
does next, cannot be stacked in this way: vmap refuses it, or `check_stack` does.

Axes: R members, B batch, K outputs.
"""

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dlx.engine.model_summary import OnOutput, watch_layers
from dlx.engine.stacked_layers import BatchedLinear, draw_masks, share_rows
from dlx.engine.stacked_model import StackedModel, UnstackableError, hand_out
from dlx.model.models import Dropout


class VmapStack(StackedModel):
    """A stack of modules of any kind. It does not evaluate: what a member gives may depend on its batch."""

    evaluates = False

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        try:
            self.example = copy.deepcopy(models[0])
        except Exception as error:  # a user's module may refuse in any way
            raise UnstackableError("the model cannot be copied") from error
        parameters = zip(*(model.named_parameters() for model in models), strict=True)
        self.shares = []
        self._stacked: dict[str, Tensor] = {}
        for members in parameters:
            (name, first), views = members[0], tuple(parameter for _, parameter in members)
            whole = nn.Parameter(share_rows(views), requires_grad=first.requires_grad)
            self._stacked[name] = whole
            self.shares.append((whole, views))
        buffers = zip(*(model.named_buffers() for model in models), strict=True)
        self._stacked_buffers = {each[0][0]: share_rows([buffer for _, buffer in each]) for each in buffers}
        # The copy computes with the members' tensors. Without its own, no forward can use these by mistake.
        for tensor in (*self.example.parameters(), *self.example.buffers()):
            tensor.data = tensor.data.new_empty(0)
        self._callbacks: Sequence[OnOutput | None] = ()
        self._watched: list[str] = []  # the layers whose outputs the last forward returned, in this order
        self._replace_dropout(models)
        for module in self.example.modules():
            if type(module) is nn.Linear and "forward" not in vars(module):
                module.__class__ = _Linear

    def forward(self, x: Tensor) -> Tensor:
        """Return the members' outputs, [R, B, K]."""
        members = vmap(self._member, randomness="error")
        with warnings.catch_warnings():
            # Some operations go from member to member. Whether the stack is fast is measured, not guessed.
            warnings.filterwarnings("ignore", "There is a performance drop")
            out_RBK, *outputs = members(self._stacked, self._stacked_buffers, x)
        for layer, output in zip(self._watched, outputs, strict=True):
            hand_out(self._callbacks, layer, output.unbind(0))
        return out_RBK

    def use_generators(self, generators: Sequence[torch.Generator]) -> None:
        """Let every dropout layer draw member r's mask from generators[r]."""
        for module in self.example.modules():
            if isinstance(module, _MembersDropout):
                module.generators = list(generators)

    def _member(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> list[Tensor]:
        """Return one member's output, and those of its layers while they are watched."""
        outputs: list[Tensor] = []
        self._watched = []

        def on_output(layer: str, output: Tensor) -> None:
            self._watched.append(layer)
            outputs.append(output.clone())

        state = parameters | buffers
        with watch_layers(self.example, on_output) if self._callbacks else nullcontext():
            out: Tensor = functional_call(self.example, state, (x,))
        for name, buffer in buffers.items():
            if state[name] is not buffer:  # the forward replaced it instead of writing into it
                buffer.copy_(state[name].detach())
        return [out, *outputs]

    @contextmanager
    def _watch(self, callbacks: Sequence[OnOutput | None]) -> Iterator[None]:
        self._callbacks = callbacks
        try:
            yield
        finally:
            self._callbacks, self._watched = (), []

    def _replace_dropout(self, models: Sequence[nn.Module]) -> None:
        replaced: dict[int, nn.Module] = {}
        for name, module in list(self.example.named_modules(remove_duplicate=False)):
            if isinstance(module, Dropout):
                members = [model.get_submodule(name) for model in models]
                twin = replaced.setdefault(id(module), _MembersDropout(members))
                self.example.set_submodule(name, twin)


class _MembersDropout(nn.Module):
    """Dropout in vmap: each member's mask has its own probability and comes from its own generator."""

    generators: Sequence[torch.Generator] = ()

    def __init__(self, members: Sequence[Any]) -> None:
        super().__init__()
        self.members: list[Dropout] = list(members)  # a list, so that they do not become children
        self.inplace = self.members[0].inplace

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with dropped values set to zero; in evaluation `x` itself."""
        if not self.training or all(member.p == 0 for member in self.members):
            return x
        mask = _Masks.apply(x, self).to(x.dtype)
        return x.mul_(mask) if self.inplace else x * mask


class _Linear(nn.Linear):
    """A linear layer whose backward pass in vmap is that of dlx's stacked layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the product; other data than [B, F] takes torch's own way."""
        if x.dim() != 2:
            return super().forward(x)
        out: Tensor = _Product.apply(x, self.weight, self.bias)
        return out


class _Product(torch.autograd.Function):
    """R products as one. torch's own rule copies the gradient of the weights into another layout."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise NotImplementedError("only within vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep nothing: what the rule below calls has a backward pass of its own."""

    @staticmethod
    def vmap(info: Any, axes: tuple[int | None, ...], *tensors: Tensor | None) -> tuple[Tensor, int]:
        x_RBF, weight_RKF, bias_RK = (
            _with_members(tensor, axis, info.batch_size) for tensor, axis in zip(tensors, axes, strict=True)
        )
        out_RBK: Tensor = BatchedLinear.apply(x_RBF, weight_RKF, bias_RK)
        return out_RBK, 0


def _with_members(tensor: Tensor | None, axis: int | None, members: int) -> Tensor | None:
    """Return a tensor of vmap with the members' axis in front, though all of them may share it."""
    if tensor is None:
        return None
    return tensor.expand(members, *tensor.shape) if axis is None else tensor.movedim(axis, 0)


class _Masks(torch.autograd.Function):
    """The masks for `x`, drawn outside vmap, in which every member would have to draw the same."""

    @staticmethod
    def forward(x: Tensor, dropout: _MembersDropout) -> Tensor:
        raise NotImplementedError("only within vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.mark_non_differentiable(output)  # so there is no backward pass

    @staticmethod
    def vmap(
        _: Any, axes: tuple[int | None, None], x: Tensor, dropout: _MembersDropout
    ) -> tuple[Tensor, int]:
        shape = x.shape if axes[0] is None else x.movedim(axes[0], 0).shape[1:]
        return torch.stack(draw_masks(dropout.members, dropout.generators, shape)), 0
