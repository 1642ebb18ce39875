"""Stacks models of plain layers: R copies of each become one operation of dlx's own (stacked_layers.py)."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlx.engine.model_summary import OnOutput, watch_layers
from dlx.engine.stacked_layers import STACKED_LAYERS, Layout, StackedDropout, split_by_member
from dlx.engine.stacked_model import StackedModel, UnstackableError, hand_out
from dlx.model.resnet import BasicBlock


def check_layers(model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise UnstackableError for the first module that no stacked layer computes as its own forward does."""
    if len(input_shape) not in (1, 3):
        raise UnstackableError(f"samples of {len(input_shape)} axes are neither flat nor images")
    _Check().module(model, "", "images" if len(input_shape) == 3 else "flat")
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(model.parameters())):
        raise UnstackableError("two of the model's layers share a parameter")


class LayerStack(StackedModel):
    """A stack of models that pass `check_layers`."""

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
