"""R models of one structure -> one module that computes all of them at once.

The members live on: their parameters and buffers become views into the stack's tensors, so checkpoints,
counts and torch's own optimizers work on each of them as before.

Axes: R members, B batch, C channels, H height, W width, F features, K outputs. Flat data is [R, B, F].
Images come in as [R, B, C, H, W] and are [B, R*C, H, W] from the first convolution, norm or pooling on,
where grouped convolutions and torch's own batch norm and pooling see R times the channels.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlx.engine.layers import See, watch
from dlx.engine.twins import TWINS, DropoutTwin, by_member
from dlx.model.models import Dropout
from dlx.model.resnet import BasicBlock


class UnstackableError(Exception):
    """A model with no stacked twin; the message names the module and says why."""


def check_stackable(model: nn.Module) -> None:
    """Raise UnstackableError for the first module that has no twin, or does more than its type says."""
    for name, module in model.named_modules():
        where = f"{name or 'the model'} ({type(module).__name__})"
        if type(module) not in TWINS and not _only_composes(module):
            raise UnstackableError(f"{where} has no stacked twin")
        if getattr(module, "momentum", 0) is None:
            raise UnstackableError(f"{where} averages over all batches (momentum=None)")
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            raise UnstackableError(f"{where} has hooks")
        if "forward" in vars(module):
            raise UnstackableError(f"{where} has a forward of its own")
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    if len(names) != len(list(model.parameters())):
        raise UnstackableError("the model uses one parameter in two places")


def signature(model: nn.Module) -> str:
    """Return what must agree between models that are to be stacked: modules, settings, shapes, types.

    The probability of a dropout may differ.
    """
    lines = []
    for name, module in model.named_modules():
        leaf = not isinstance(module, Dropout) and not _only_composes(module)
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        shapes = [f"{key} {tuple(t.shape)} {t.dtype} {t.requires_grad}" for key, t in tensors]
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        lines.append(f"{name}: {kind}({module.extra_repr() if leaf else ''}) {', '.join(shapes)}")
    return "\n".join(lines)


class Stack(nn.Module):
    """The twin of models of equal `signature`: [R, B, ...] -> [R, B, K]."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        assert len({signature(model) for model in models}) == 1, "only models of one structure can be stacked"
        check_stackable(models[0])
        self.body = _twin(models)
        # Each stacked parameter beside the members' views of it, in the order of `parameters()`.
        views = zip(*(model.parameters() for model in models), strict=True)
        self.shares = list(zip(self.body.parameters(), views, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return the members' outputs, [R, B, K]."""
        out: Tensor = self.body(x)
        return out

    @contextmanager
    def watch(self, sees: Sequence[See | None]) -> Iterator[None]:
        """Call sees[r](name, output) for each layer of member r, as `layers.watch` does for a lone model."""

        def see_members(layer: str, output: Tensor) -> None:
            for see, part in zip(sees, by_member(output, len(sees)), strict=True):
                if see is not None:
                    see(layer, part)

        if not any(sees):
            yield
            return
        with watch(self.body, see_members):
            yield

    def use_generators(self, generators: Sequence[torch.Generator]) -> None:
        """Let every dropout draw member r's mask from generators[r]."""
        for module in self.modules():
            if isinstance(module, DropoutTwin):
                module.generators = list(generators)


def _twin(members: Sequence[nn.Module]) -> nn.Module:
    first = members[0]
    if not _only_composes(first):
        return TWINS[type(first)](members)
    # Its own forward, over the children's twins.
    container = copy.copy(first)
    container._modules = {name: _twin([m._modules[name] for m in members]) for name in first._modules}  # type: ignore[misc]
    return container


def _only_composes(module: nn.Module) -> bool:
    """Say whether a module's forward does no more than call its children and add what they return."""
    sequential = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    return sequential or type(module) is BasicBlock
