"""Stacks R models of one structure into a module that computes all of them at once.

The members stay usable: their parameters and buffers become views of the stack's tensors, so checkpoints,
parameter counts and torch's optimizers work on each of them as before.

Axes: R members, B batch, C channels, H height, W width, F features, K outputs. Flat data is [R, B, F].
Images come in as [R, B, C, H, W]. From the first convolution, norm or pooling on, they are [B, R*C, H, W]:
grouped convolutions and torch's own batch norm and pooling see R times the channels.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlx.engine.model_summary import OnOutput, watch_layers
from dlx.engine.stacked_layers import STACKED_LAYERS, StackedDropout, split_by_member
from dlx.model.models import Dropout
from dlx.model.resnet import BasicBlock


class UnstackableError(Exception):
    """A model that cannot be stacked; the message names the module and the reason."""


def check_stackable(model: nn.Module) -> None:
    """Raise UnstackableError for the first module of an unknown type, or with unusual behaviour."""
    for name, module in model.named_modules():
        where = f"{name or 'the model'} ({type(module).__name__})"
        if type(module) not in STACKED_LAYERS and not _only_composes(module):
            raise UnstackableError(f"{where} has no stacked version")
        if getattr(module, "momentum", 0) is None:
            raise UnstackableError(f"{where} averages over all batches (momentum=None)")
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            raise UnstackableError(f"{where} has hooks")
        if "forward" in vars(module):
            raise UnstackableError(f"{where} has a forward method of its own")
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(model.parameters())):
        raise UnstackableError("two of the model's layers share a parameter")


def signature(model: nn.Module) -> str:
    """Return what models must have in common to be stacked: modules, their settings, shapes and types.

    Dropout probabilities may differ.
    """
    lines = []
    for name, module in model.named_modules():
        leaf = not isinstance(module, Dropout) and not _only_composes(module)
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        shapes = [f"{key} {tuple(t.shape)} {t.dtype} {t.requires_grad}" for key, t in tensors]
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        lines.append(f"{name}: {kind}({module.extra_repr() if leaf else ''}) {', '.join(shapes)}")
    return "\n".join(lines)


class StackedModel(nn.Module):
    """Models of equal `signature` as one: [R, B, ...] -> [R, B, K].

    `shares` pairs each stacked parameter with the members' views of it, in the order of `parameters()`.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        assert len({signature(model) for model in models}) == 1, "only models of one structure can be stacked"
        check_stackable(models[0])
        self.body = _stack(models)
        views = zip(*(model.parameters() for model in models), strict=True)
        self.shares = list(zip(self.body.parameters(), views, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return the members' outputs, [R, B, K]."""
        out: Tensor = self.body(x)
        return out

    @contextmanager
    def watch(self, callbacks: Sequence[OnOutput | None]) -> Iterator[None]:
        """Call callbacks[r](name, output) for each layer of member r, as `watch_layers` does for a model."""

        def on_output(layer: str, output: Tensor) -> None:
            for callback, part in zip(callbacks, split_by_member(output, len(callbacks)), strict=True):
                if callback is not None:
                    callback(layer, part)

        if not any(callbacks):
            yield
            return
        with watch_layers(self.body, on_output):
            yield

    def use_generators(self, generators: Sequence[torch.Generator]) -> None:
        """Let every dropout layer draw member r's mask from generators[r]."""
        for module in self.modules():
            if isinstance(module, StackedDropout):
                module.generators = list(generators)


def _stack(members: Sequence[nn.Module]) -> nn.Module:
    first = members[0]
    if not _only_composes(first):
        return STACKED_LAYERS[type(first)](members)
    container = copy.copy(first)  # keeps its own forward, over stacked children
    container._modules = {name: _stack([m._modules[name] for m in members]) for name in first._modules}  # type: ignore[misc]
    return container


def _only_composes(module: nn.Module) -> bool:
    """Return whether a module's forward only calls its children and adds what they return."""
    sequential = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    return sequential or type(module) is BasicBlock
