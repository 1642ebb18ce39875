"""A run: all that an engine needs to train it, and what the engine reports after each epoch."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlx.augment.transforms import Augment
from dlx.data.dataset import Dataset
from dlx.engine.hooks import Hook
from dlx.engine.model_summary import LayerSummary
from dlx.engine.probes import ProbeResults, Probes
from dlx.execution import Execution
from dlx.loss.losses import Loss
from dlx.metrics.catalogue import Task
from dlx.metrics.metrics import Metric
from dlx.optimizer.schedule import Schedule
from dlx.run.history import EpochRow


def nothing() -> None:
    """Do nothing, where a function may be given."""


@dataclass(frozen=True)
class Seeds:
    """The seed of each source of randomness in training; the initial weights are already drawn."""

    order: int
    augment: int
    dropout: int


@dataclass(frozen=True)
class Monitored:
    """What decides which epoch is the best: a column of the history, and whether higher values are better."""

    column: str
    higher: bool


@dataclass(frozen=True)
class Run:
    """One run. The model and its optimizers' state change as an engine trains it."""

    data: Dataset
    model: nn.Module
    optimizers: Sequence[Optimizer]
    schedule: Schedule
    loss: Loss
    augment: Augment | None
    seeds: Seeds
    epochs: int
    batch_size: int
    shuffle: bool
    drop_last: bool
    device: torch.device
    layers: Sequence[LayerSummary] = ()
    task: Task = "classification"
    metrics: Sequence[Metric] = ()
    monitor: Monitored = Monitored("val_accuracy", higher=True)
    probes: Probes = field(default_factory=Probes)
    execution: Execution = field(default_factory=Execution)
    sample_weights: Tensor | None = (
        None  # [N], how likely training samples are drawn; None: each once an epoch
    )
    gradient_clip: float | None = None  # the largest norm of a step's gradient
    hooks: Sequence[Hook] = ()
    notices: Sequence[str] = ()  # what the user should know of how the run was built

    @property
    def classifies(self) -> bool:
        """Whether the outputs are classes, so that there is an accuracy."""
        return self.task == "classification"

    @property
    def parameter_count(self) -> int:
        """The number of trainable parameters."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)


@dataclass(frozen=True)
class Position:
    """How far a run has been trained, in whole epochs."""

    epoch: int
    step: int  # optimizer steps taken so far
    seconds: float


@dataclass(frozen=True)
class EpochEnd:
    """What an engine reports before the first epoch and after each."""

    row: EpochRow
    val_outputs_NK: Tensor
    extra: Mapping[str, float | None] = field(default_factory=dict)  # more columns; the same names each epoch
    observed: ProbeResults = field(default_factory=ProbeResults)
    settle: Callable[[], None] = nothing  # leaves the run's own optimizers as they would be alone


def steps_per_epoch(samples: int, batch_size: int, *, drop_last: bool) -> int:
    """Return the number of batches in an epoch."""
    return samples // batch_size if drop_last else math.ceil(samples / batch_size)
