"""Forward and backward passes of a run alone: by autograd or, to the same bits, into memory that is kept.

Axes: B of a batch, K outputs.
"""

import copy
from collections.abc import Hashable
from typing import Protocol

import torch
from torch import Tensor, nn

from dlx import rng
from dlx.engine.kept_memory import KeptMemory
from dlx.engine.run import Run
from dlx.loss.losses import Loss
from dlx.model.models import use_generator

_same_bits: dict[Hashable, bool] = {}


class Passes(Protocol):
    """What takes a net forward and backward."""

    def run(self, inputs: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        """Set the parameters' gradients; return outputs [B, K] and losses [B], both to keep."""
        ...

    def clear(self) -> None:
        """Make ready for the next run, once the gradients have been used."""
        ...


class Autograd:
    """The passes of any module, by torch's autograd."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        self._model, self._loss = model, loss
        self._parameters = list(model.parameters())

    def run(self, inputs: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        """Set the parameters' gradients; return outputs [B, K] and losses [B]."""
        outputs_BK = self._model(inputs)
        losses_B = self._loss.per_sample(outputs_BK, labels_B)
        self._loss.reduce(losses_B).backward()  # type: ignore[no-untyped-call]
        return outputs_BK.detach(), losses_B.detach()

    def clear(self) -> None:
        """Do as `zero_grad` does, in a tenth of its time."""
        for parameter in self._parameters:
            parameter.grad = None


def passes_of(run: Run) -> Passes:
    """Return the passes of the run's model: into kept memory, if these give the bits of autograd."""
    if run.device.type != "cpu" or run.probes.layers is not None or not KeptMemory.suits(run.model):
        return Autograd(run.model, run.loss)
    last = len(run.data.train) % run.batch_size
    sizes = [run.batch_size] if run.drop_last or last == 0 else [run.batch_size, last]
    shapes = [(type(value), value.shape, value.dtype) for value in run.model.state_dict().values()]
    modules = [type(module) for module in run.model.modules()]
    key = (str(run.model), *modules, *shapes, run.loss, run.data.input_shape, *sizes)
    if key not in _same_bits:
        _same_bits[key] = _gives_same_bits(run, sizes)
    return (KeptMemory if _same_bits[key] else Autograd)(run.model, run.loss)


def _gives_same_bits(run: Run, sizes: list[int]) -> bool:
    """Compare the passes of copies of the model, on the first samples."""
    try:
        return all(
            torch.equal(own, other)
            for own, other in zip(_try(run, Autograd, sizes), _try(run, KeptMemory, sizes), strict=True)
        )
    except Exception:  # noqa: BLE001 - a user's layer may raise any; if it does in training, the user is told
        return False


def _try(run: Run, kind: type[Autograd | KeptMemory], sizes: list[int]) -> list[Tensor]:
    """Return all that one pass for each of these batch sizes computes."""
    model = copy.deepcopy(run.model).train()
    passes, computed = kind(model, run.loss), []
    use_generator(model, rng.generator(0, "check", device=run.device))
    for size in sizes:
        with rng.global_state(0, "check", device=run.device):
            computed += passes.run(*run.data.train.slice(0, size))
        gradients = [parameter.grad for parameter in model.parameters()]
        computed += [gradient.clone() for gradient in gradients if gradient is not None]
        computed += [buffer.clone() for buffer in model.buffers()]
        passes.clear()
    return computed
