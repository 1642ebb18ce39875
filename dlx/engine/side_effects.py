"""Finds what a model's forward does besides computing its outputs.

A stack runs one member's Python for all members, and a CUDA graph runs it once for all steps. Whatever it
changes or draws there would be changed or drawn once.
"""

import copy
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dlx import rng
from dlx.engine.run import Run
from dlx.engine.signature import signature
from dlx.engine.stacked_model import UnstackableError
from dlx.model.models import use_generator

SAMPLES = 8  # enough for any forward, and for batch norm


def side_effects(run: Run) -> str:
    """Return what a forward pass of the run's model does besides its outputs; "" if nothing was seen."""
    try:
        model = copy.deepcopy(run.model)
        use_generator(model, rng.generator(0, "check dropout", device=run.device))
        buffers = [id(buffer) for buffer in model.buffers()]
        inputs, _ = run.data.train.slice(0, min(SAMPLES, run.batch_size))
        with refuse_side_effects(model.train(), run.device):
            run.execution.outputs(model, inputs)
        if [id(buffer) for buffer in model.buffers()] != buffers:
            return "the model's forward replaces one of its buffers"
    except Exception as error:  # noqa: BLE001 - a user's module may raise any
        return str(error) or type(error).__name__
    return ""


@contextmanager
def refuse_side_effects(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Raise UnstackableError if the model changes an attribute or draws from a global generator meanwhile."""
    before, drawn = signature(model), _python_draws()
    with rng.global_state(0, "check", device=device), _NoDraws(device):
        yield
    if _python_draws() != drawn:
        raise UnstackableError("the model's forward draws random numbers in Python")
    if signature(model) != before:
        raise UnstackableError("the model's forward changes one of its attributes")


def _python_draws() -> bytes:
    return pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002 - the user's may draw


class _NoDraws(TorchFunctionMode):
    """Raises UnstackableError where a module draws from a global generator: members draw from their own."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function; raise UnstackableError if it has drawn."""
        before = self._states()
        result = function(*args, **kwargs or {})
        if any(not torch.equal(*pair) for pair in zip(before, self._states(), strict=True)):
            raise UnstackableError(f"the model's forward draws random numbers ({function.__name__})")
        return result

    def _states(self) -> list[Tensor]:
        states = [torch.get_rng_state()]
        return states if self._device.type != "cuda" else [*states, torch.cuda.get_rng_state(self._device)]
