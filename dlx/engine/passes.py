"""Forward and backward passes: by autograd or, to the same bits, into memory that is kept.

Axes: R runs of a stack, or none; B of a batch, K outputs.
"""

import copy
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlx.engine.backward import backward
from dlx.engine.kept_memory import KeptMemory
from dlx.loss.losses import Gradient, Loss

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
        backward(outputs, gradient)
        return outputs.detach(), losses


@dataclass(frozen=True)
class Trial:
    """What is tried first: a model of the same kind, and inputs and labels of each size that will come."""

    model: nn.Module
    loss: Loss
    batches: Sequence[tuple[Tensor, Tensor]]


def fastest_passes(model: nn.Module, loss: Gradient, trial: Trial) -> Passes:
    """Return the passes of a model on a CPU: into kept memory, if these give the bits of autograd.

    That is tried once for each kind of model in a process, on copies.
    """
    return (KeptMemory if KeptMemory.suits(model) and _has_same_bits(trial) else Autograd)(model, loss)


def _has_same_bits(trial: Trial) -> bool:
    values = [(name, value.shape, value.dtype) for name, value in trial.model.state_dict().items()]
    sizes = [labels.shape for _, labels in trial.batches]
    key = (str(trial.model), *map(type, trial.model.modules()), *values, trial.loss, *sizes)
    if key not in _same_bits:
        try:
            computed = [_try(kind, trial) for kind in (Autograd, KeptMemory)]
            _same_bits[key] = all(torch.equal(*pair) for pair in zip(*computed, strict=True))
        except Exception:  # noqa: BLE001 - a user's layer may raise any; if it does in training, the user is told
            _same_bits[key] = False
    return _same_bits[key]


def _try(kind: type[Autograd | KeptMemory], trial: Trial) -> list[Tensor]:
    """Return all that one pass for each of the batches computes."""
    model = copy.deepcopy(trial.model).train()
    passes = kind(model, trial.loss.gradient)
    computed: list[Tensor] = []
    for inputs, labels in trial.batches:
        computed += passes(inputs.clone(memory_format=torch.contiguous_format), labels)
        computed += [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        computed += [buffer.clone() for buffer in model.buffers()]
        model.zero_grad()
    return computed
