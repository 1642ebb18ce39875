"""Forward and backward passes of sequential nets without autograd's graph, into memory that is kept.

Most layers of fully connected nets are written out (written_out.py): the kernels that autograd calls. What
lies between them goes through autograd piece by piece. On one thread, a step of 784-128-64-10 in batches of
32 took half the time that it took through autograd.

Axes: B of a batch, K outputs of the net; a stack of runs has an axis R before them.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from dlx.engine.backward import backward
from dlx.engine.stacked_layers import StackedDropout, StackedElementwise
from dlx.engine.written_out import WrittenOut, write_out
from dlx.loss.losses import Gradient
from dlx.model.models import Dropout

AS_MADE = vars(nn.Module())  # what a module has whose forward and backward nobody has hooked into
OWN = ("_parameters", "_buffers", "_modules", "training")


class KeptMemory:
    """The passes of a sequential net. The gradients of its linear layers are the same tensors each time."""

    def __init__(self, model: nn.Module, loss: Gradient) -> None:
        self._loss, self._parts = loss, list(_parts(model))

    @staticmethod
    def suits(model: nn.Module) -> bool:
        """Return whether a model is a sequence of layers, some of them written out, that share nothing."""
        modules = [module for _, module in model.named_modules(remove_duplicate=False)]
        parameters = [parameter for _, parameter in model.named_parameters(remove_duplicate=False)]
        return (
            type(model).forward is nn.Sequential.forward
            and all(vars(module)[key] == AS_MADE[key] for module in modules for key in {*AS_MADE} - {*OWN})
            and len({*map(id, modules)}) == len(modules)
            and len({*map(id, parameters)}) == len(parameters)
            and any(isinstance(part, WrittenOut) for part in _parts(model))
        )

    @torch.no_grad()
    def __call__(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Set the parameters' gradients; return outputs [..., B, K] and losses [..., B]."""
        values = inputs
        for part in self._parts:
            values = part.forward(values)
        losses, gradient = self._loss(values, labels)
        for part in reversed(self._parts):
            gradient = part.backward(gradient)
        return values.clone(), losses


class _Piece:
    """Neighbouring layers of any other kind, through autograd."""

    def __init__(self, layers: Sequence[nn.Module], *, first: bool) -> None:
        self.layers = nn.Sequential(*layers)
        self._first = first
        self._differentiates = not first or _trains(self.layers)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor
        if not self._differentiates:
            outputs = self.layers(inputs)
            return outputs
        self._inputs = inputs.detach().requires_grad_(not self._first)
        with torch.enable_grad():
            outputs = self.layers(self._inputs)
        self._outputs = outputs
        return outputs.detach()

    def backward(self, gradient: Tensor) -> Tensor:
        if not self._differentiates:
            return gradient
        backward(self._outputs, gradient)
        of_inputs: Tensor | None = self._inputs.grad
        return gradient if of_inputs is None else of_inputs


def _parts(model: nn.Module) -> Iterator[WrittenOut | _Piece]:
    """Yield what the net consists of, in order; `first` until a part is trained."""
    others, first = list[nn.Module](), True
    for layer in _layers(model):
        part = write_out(layer, first=first and not _trains(*others))
        if part is None:
            others.append(layer)
            continue
        if others:
            yield _Piece(others, first=first)
        yield part
        first, others = first and not _trains(layer, *others), []
    if others:
        yield _Piece(others, first=first)


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers of a sequential net, without those that return their input."""
    for layer in model.children():
        if type(layer).forward is nn.Sequential.forward:
            yield from _layers(layer)
        elif not _returns_input(layer):
            yield layer


def _returns_input(layer: nn.Module) -> bool:
    members = layer.members if isinstance(layer, StackedDropout | StackedElementwise) else [layer]
    return all(
        type(member) is nn.Identity or (type(member) is Dropout and member.p == 0) for member in members
    )


def _trains(*layers: nn.Module) -> bool:
    return any(parameter.requires_grad for layer in layers for parameter in layer.parameters())
