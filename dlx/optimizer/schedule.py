"""Learning-rate schedules as functions: optimizer step -> factor that multiplies the learning rate.

A schedule has no state, so it is the same for a run trained alone and for one in a stack. Steps count from 0;
`total` is the number of steps after the warm-up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dlx.registry import Registry

Schedule = Callable[[int], float]
# A builder takes `total`, `steps_per_epoch` and its own keys of the YAML.
schedules: Registry[Schedule] = Registry("schedule", "dlx.optimizer")

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)  # so that a stack can see which of its runs have equal schedules
class _Length:
    uses_total: ClassVar[bool] = True  # whether a longer run has other rates from the beginning
    total: int
    steps_per_epoch: int


@schedules.register("constant")
@dataclass(frozen=True)
class Constant(_Length):
    """The learning rate as given."""

    uses_total = False

    def __call__(self, _: int) -> float:
        """Return 1."""
        return 1.0


@schedules.register("step")
@dataclass(frozen=True)
class Step(_Length):
    """Multiply by `factor` after every `every` epochs."""

    uses_total = False
    every: Annotated[int, Field(ge=1)]
    factor: Positive

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return self.factor ** (step // (self.every * self.steps_per_epoch))


@schedules.register("exponential")
@dataclass(frozen=True)
class Exponential(_Length):
    """decay^t, where t counts epochs or steps from 0."""

    uses_total = False
    decay: Positive
    per: Literal["epoch", "step"]

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return self.decay ** (step if self.per == "step" else step // self.steps_per_epoch)


@schedules.register("cosine")
@dataclass(frozen=True)
class Cosine(_Length):
    """Half a cosine from 1 down to `final` at the end of the run, by step (Loshchilov and Hutter, 2017)."""

    final: Share

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        return _anneal(1.0, self.final, step / self.total)


@schedules.register("one_cycle")
@dataclass(frozen=True)
class OneCycle(_Length):
    """Up from `start` to 1 over the share `peak_at` of the run, then down to `final` (Smith, 2018).

    Like torch's OneCycleLR, except that momentum does not change.
    """

    peak_at: Annotated[float, Field(gt=0, lt=1)]
    start: Share
    final: Share

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        peak = self.peak_at * self.total - 1
        if step <= peak:
            return _anneal(self.start, 1.0, step / peak if peak > 0 else 1.0)
        return _anneal(1.0, self.final, (step - peak) / max(self.total - 1 - peak, 1))


@schedules.register("triangular")
@dataclass(frozen=True)
class Triangular(_Length):
    """A straight line from `start` to 1 over the share `peak_at` of the run, and one down to `final`."""

    peak_at: Annotated[float, Field(gt=0, lt=1)]
    start: Share
    final: Share

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        peak = self.peak_at * self.total
        if step <= peak:
            return self.start + (1 - self.start) * step / peak
        return 1 + (self.final - 1) * (step - peak) / (self.total - peak)


@dataclass(frozen=True)
class WarmUp:
    """A linear climb over `steps` steps, then `schedule` from its own step 0."""

    steps: int
    schedule: Schedule

    def __call__(self, step: int) -> float:
        """Return the factor at `step`."""
        if step < self.steps:
            return (step + 1) / self.steps * self.schedule(0)
        return self.schedule(step - self.steps)


def depends_on_length(name: str) -> bool:
    """Say whether the named schedule's rates depend on how many epochs a run has."""
    return bool(getattr(schedules.builders()[name], "uses_total", True))


def build_schedule(
    name: str, arguments: dict[str, object], *, warmup_epochs: float, epochs: int, steps_per_epoch: int
) -> Schedule:
    """Build the named schedule over the steps after the warm-up.

    Raises RequestError for an unknown name or key and for a value out of range.
    """
    warmup = round(warmup_epochs * steps_per_epoch)
    total = max(epochs * steps_per_epoch - warmup, 1)
    schedule = schedules.build(name, arguments, total=total, steps_per_epoch=steps_per_epoch)
    return WarmUp(warmup, schedule) if warmup else schedule


def _anneal(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
