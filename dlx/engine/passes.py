"""Forward and backward passes: by autograd or, to the same bits, into memory that is kept.

Axes: R runs of a stack, or none; B of a batch, K outputs.
"""

import copy
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor, nn

from dlx.engine.kept_memory import KeptMemory
from dlx.loss.losses import Gradient

# Sets the parameters' gradients for inputs [..., B, *] and labels [..., B]; returns outputs [..., B, K] and
# losses [..., B], both to keep.
Passes = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

_same_bits: dict[Hashable, bool] = {}


class Autograd:
    """The passes of any module."""

    def __init__(self, model: Callable[[Tensor], Tensor], loss: Gradient) -> None:
        self._model, self._loss = model, loss

    def __call__(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Set the parameters' gradients; return outputs [..., B, K] and losses [..., B]."""
        outputs = self._model(inputs)
        losses, gradient = self._loss(outputs.detach(), labels)
        outputs.backward(gradient)  # type: ignore[no-untyped-call]
        return outputs.detach(), losses


def fastest_passes(
    model: nn.Module, loss: Gradient, batches: Sequence[tuple[Tensor, Tensor]], what: str
) -> Passes:
    """Return the passes of a model on a CPU: into kept memory, if these give the bits of autograd.

    That is tried on a copy of the model, once for each kind of model in a process. `batches`: inputs and
    labels of each size that will come; `what` describes the loss.
    """
    if not KeptMemory.suits(model):
        return Autograd(model, loss)
    shapes = [(name, value.shape, value.dtype) for name, value in model.state_dict().items()]
    key = (str(model), *map(type, model.modules()), *shapes, what, *(labels.shape for _, labels in batches))
    if key not in _same_bits:
        _same_bits[key] = _gives_same_bits(model, loss, batches)
    return (KeptMemory if _same_bits[key] else Autograd)(model, loss)


def _gives_same_bits(model: nn.Module, loss: Gradient, batches: Sequence[tuple[Tensor, Tensor]]) -> bool:
    try:
        computed = [_try(kind, model, loss, batches) for kind in (Autograd, KeptMemory)]
    except Exception:  # noqa: BLE001 - a user's layer may raise any; if it does in training, the user is told
        return False
    return all(torch.equal(*pair) for pair in zip(*computed, strict=True))


def _try(
    kind: type[Autograd | KeptMemory],
    model: nn.Module,
    loss: Gradient,
    batches: Sequence[tuple[Tensor, Tensor]],
) -> list[Tensor]:
    """Return all that one pass for each of the batches computes."""
    model = copy.deepcopy(model).train()
    passes = kind(model, loss)
    computed: list[Tensor] = []
    for inputs, labels in batches:
        computed += passes(inputs.clone(memory_format=torch.contiguous_format), labels)
        computed += [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        computed += [buffer.clone() for buffer in model.buffers()]
        model.zero_grad()
    return computed
