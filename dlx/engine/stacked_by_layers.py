"""Stacks models of plain layers: R copies of each become one operation of dlx's own (stacked_layers.py)."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dlx.engine.model_summary import OnOutput, watch_layers
from dlx.engine.stacked_layers import (
    Layout,
    StackedBatchNorm1d,
    StackedBatchNorm2d,
    StackedByChannel,
    StackedConv2d,
    StackedDropout,
    StackedElementwise,
    StackedFlatten,
    StackedGroupNorm,
    StackedLayer,
    StackedLayerNorm,
    StackedLinear,
    split_by_member,
)
from dlx.engine.stacked_model import StackedModel, UnstackableError, hand_out
from dlx.model.models import Dropout, Dropout1d, Dropout2d, Dropout3d
from dlx.model.resnet import BasicBlock

ELEMENTWISE = (
    *(nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(
        nn.Tanh,
        nn.Sigmoid,
        nn.LogSigmoid,
        nn.Softsign,
        nn.Hardtanh,
        nn.Hardsigmoid,
        nn.Hardswish,
        nn.Identity,
    ),
)
BY_CHANNEL = (
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample),
    *(nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d),
)

STACKED_LAYERS: dict[type[nn.Module], type[StackedLayer[Any]]] = {
    nn.Linear: StackedLinear,
    nn.Conv2d: StackedConv2d,
    nn.BatchNorm1d: StackedBatchNorm1d,
    nn.BatchNorm2d: StackedBatchNorm2d,
    nn.GroupNorm: StackedGroupNorm,
    nn.LayerNorm: StackedLayerNorm,
    **dict.fromkeys((Dropout, Dropout1d, Dropout2d, Dropout3d), StackedDropout),
    nn.Flatten: StackedFlatten,
    **dict.fromkeys(ELEMENTWISE, StackedElementwise),
    **dict.fromkeys(BY_CHANNEL, StackedByChannel),
}


def why_not_layers(model: nn.Module, input_shape: tuple[int, ...]) -> str:
    """Return the first reason why stacked layers would not compute what the model does; "" if they would."""
    if len(input_shape) not in (1, 3):
        return f"samples of {len(input_shape)} axes are neither flat nor images"
    try:
        _Check().module(model, "", "images" if len(input_shape) == 3 else "flat")
    except UnstackableError as error:
        return str(error)
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    return "" if len(names) == len(list(model.parameters())) else "two of the layers share a parameter"


class LayerStack(StackedModel):
    """A stack of models of which `why_not_layers` is empty."""

    evaluates = True

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.body = _stack(models)
        views = zip(*(model.parameters() for model in models), strict=True)
        self.shares = list(zip(self.body.parameters(), views, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return the members' outputs, [R, B, K]."""
        out: Tensor = self.body(x)
        return out

    def use_generators(self, generators: Sequence[torch.Generator]) -> None:
        """Let every dropout layer draw member r's mask from generators[r]."""
        for module in self.modules():
            if isinstance(module, StackedDropout):
                module.generators = list(generators)

    @contextmanager
    def _watch(self, callbacks: Sequence[OnOutput | None]) -> Iterator[None]:
        def on_output(layer: str, output: Tensor) -> None:
            hand_out(callbacks, layer, split_by_member(output, len(callbacks)))

        with watch_layers(self.body, on_output):
            yield


def _stack(members: Sequence[nn.Module]) -> nn.Module:
    first = members[0]
    if not _only_composes(first):
        return STACKED_LAYERS[type(first)](members)
    container = copy.copy(first)  # keeps its own forward, over stacked children
    container._modules = {name: _stack([m._modules[name] for m in members]) for name in first._modules}  # type: ignore[misc]
    return container


class _Check:
    """Follows the data through a model, and refuses what a stack of layers would compute otherwise."""

    def __init__(self) -> None:
        self._used: set[int] = set()

    def module(self, module: nn.Module, name: str, layout: Layout) -> Layout:
        """Return the layout of the module's output; raise UnstackableError if there is no twin for it."""
        where = f"{name or 'the model'} ({type(module).__name__})"
        if id(module) in self._used:
            raise UnstackableError(f"{where} is used twice")
        self._used.add(id(module))
        if reason := _unusual(module):
            raise UnstackableError(f"{where} {reason}")
        if not _only_composes(module):
            return _layout_after(module, where, layout)
        if module._parameters or module._buffers:
            raise UnstackableError(f"{where} has a parameter or buffer of its own")
        for child_name, child in module._modules.items():
            assert child is not None, "a Sequential has no empty places"
            after = self.module(child, f"{name}.{child_name}".removeprefix("."), layout)
            # A residual block's children all take images and give images, in whatever order it calls them.
            layout = after
        return layout


def _layout_after(module: nn.Module, where: str, layout: Layout) -> Layout:
    stacked = STACKED_LAYERS.get(type(module))
    if stacked is None:
        raise UnstackableError(f"{where} has no stacked version")
    if stacked.takes not in (None, layout):
        raise UnstackableError(f"{where} is given {'images' if layout == 'images' else 'flat data'}")
    if setting := stacked.unlike(module):
        raise UnstackableError(f"{where} has {setting}")
    return stacked.gives or layout


def _unusual(module: nn.Module) -> str:
    """Return what keeps this one module from doing what its class says; "" if nothing does."""
    hooks = (
        *(module._forward_hooks, module._forward_pre_hooks),
        *(module._backward_hooks, module._backward_pre_hooks),
    )
    if any(hooks):
        return "has hooks"
    own = [key for key, value in vars(module).items() if callable(value) and hasattr(type(module), key)]
    return f"has a {own[0]} method of its own" if own else ""


def _only_composes(module: nn.Module) -> bool:
    """Return whether a module's forward only calls its children and adds what they return.

    A subclass of Sequential does so if it redefines nothing but its constructor.
    """
    if not isinstance(module, nn.Sequential):
        return type(module) is BasicBlock
    kinds = type(module).__mro__
    subclasses = kinds[: kinds.index(nn.Sequential)]
    harmless = ("__init__", "__repr__", "extra_repr")
    return not any(
        callable(value) and hasattr(nn.Sequential, key) and key not in harmless
        for kind in subclasses
        for key, value in vars(kind).items()
    )
