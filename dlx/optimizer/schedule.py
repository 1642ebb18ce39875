"""Learning-rate schedules as functions: optimizer step -> factor on the learning rate.

A schedule has no state, so a resumed run and a member of a stack ask it for the same factors. Steps
count from 0; `total` is the number of steps of the whole run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from dlx.registry import Registry

Schedule = Callable[[int], float]
# A builder is called with `total` (steps of the run) and `steps_per_epoch`, and the keys of the YAML.
schedules: Registry[Schedule] = Registry("schedule", "dlx.optimizer")

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@schedules.register("constant")
@dataclass(frozen=True)
class Constant:
    """The learning rate as given."""

    total: int
    steps_per_epoch: int

    def __call__(self, _: int) -> float:
        """Return 1."""
        return 1.0


@schedules.register("step")
@dataclass(frozen=True)
class Step:
    """Multiply by `factor` after every `every` epochs."""

    total: int
    steps_per_epoch: int
    every: Annotated[int, Field(ge=1)]
    factor: Positive

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return self.factor ** (step // (self.every * self.steps_per_epoch))


@schedules.register("exponential")
@dataclass(frozen=True)
class Exponential:
    """eta0 * decay^t, where t counts epochs or steps from 0."""

    total: int
    steps_per_epoch: int
    decay: Positive
    per: Literal["epoch", "step"]

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return self.decay ** (step if self.per == "step" else step // self.steps_per_epoch)


@schedules.register("cosine")
@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 down to `final` at the run's end (Loshchilov and Hutter, 2017), by step."""

    total: int
    steps_per_epoch: int
    final: Share

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return _anneal(1.0, self.final, step / self.total)


@schedules.register("one_cycle")
@dataclass(frozen=True)
class OneCycle:
    """Up from `start` to 1 over `peak_at` of the run, then down to `final` (Smith, 2018), by step.

    As torch's OneCycleLR, but for momentum, which stays as it is.
    """

    total: int
    steps_per_epoch: int
    peak_at: Annotated[float, Field(gt=0, lt=1)]
    start: Share
    final: Share

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        peak = self.peak_at * self.total - 1
        if step <= peak:
            return _anneal(self.start, 1.0, step / peak if peak > 0 else 1.0)
        return _anneal(1.0, self.final, (step - peak) / max(self.total - 1 - peak, 1))


@dataclass(frozen=True)
class WarmUp:
    """A linear climb over the first `steps` steps, then `schedule` from its own step 0."""

    steps: int
    schedule: Schedule

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        if step < self.steps:
            return (step + 1) / self.steps * self.schedule(0)
        return self.schedule(step - self.steps)


def build_schedule(
    name: str, arguments: dict[str, object], *, warmup_epochs: float, epochs: int, steps_per_epoch: int
) -> Schedule:
    """Build the named schedule over what the warm-up leaves of the run's steps.

    Raises RequestError for an unknown name or key, or a value out of its range.
    """
    warmup = round(warmup_epochs * steps_per_epoch)
    total = max(epochs * steps_per_epoch - warmup, 1)
    schedule = schedules.build(name, arguments, total=total, steps_per_epoch=steps_per_epoch)
    return WarmUp(warmup, schedule) if warmup else schedule


def _anneal(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
