"""The user's hooks, called after each epoch of a run: `hooks=[package.module:Name]`.

This runs the user's code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from dlx.own.target import load_target


@dataclass(frozen=True)
class HookedRun:
    """What a hook is given: a run as it is after an epoch.

    Attributes:
        epoch: the epoch that has just ended, from 1 to `epochs`
        epochs: how many the run was asked for
        metrics: the epoch's row of `history.csv`; None where a value is missing
        model: the network with its present weights, in evaluation mode
        optimizers: what steps the weights; Muon has two
        folder: the run's folder; a hook's own files belong here
        config: the run's settings, as in `.hydra/config.yaml`
    """

    epoch: int
    epochs: int
    metrics: Mapping[str, float | None]
    model: nn.Module
    optimizers: Sequence[Optimizer]
    folder: Path
    config: Mapping[str, Any]


Hook = Callable[[HookedRun], object]


def load_hook(target: str) -> Hook:
    """Import `target`: a function of a HookedRun, or a class without arguments that has on_epoch_end(run).

    Raises RequestError for all that the user can put right.
    """
    own = load_target("hooks", target)
    if not own.is_class:
        if len(own.parameters) != 1:
            own.refuse(f"takes {len(own.parameters)} arguments; a hook takes one, the run")
        return own.builder
    hook = own.call()
    if not callable(method := getattr(hook, "on_epoch_end", None)):
        own.refuse("has no method on_epoch_end(run)")
    called: Hook = method
    return called
