"""The user's own learning-rate schedule: `schedule=custom schedule.target=package.module:name`.

This runs the user's code.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dlx.optimizer.schedule import Schedule, schedules
from dlx.own.target import Target, load_target

OWN_KEYS = ("name", "target", "warmup")  # of the group schedule


@dataclass(frozen=True)
class OwnSchedule:
    """A function of the user's; those with equal `facts` are equal, so that a stack can see it."""

    facts: str
    function: Callable[[int], Any] = field(compare=False)
    own: Target = field(compare=False)

    def __call__(self, step: int) -> float:
        """Return the factor at `step`. Raises RequestError if the user's function fails."""
        with self.own.in_one_line(f"step {step}"):
            return float(self.function(step))


@schedules.register("custom")
def custom(total: int, steps_per_epoch: int, *, target: str, **arguments: Any) -> Schedule:
    """Import `target`, a function of the step (from 0), or one that returns such a function.

    If its first parameter is called `step`, it is called in every step and returns the factor of the learning
    rate. Otherwise it is called once. It is given the other keys, and `total` and `steps_per_epoch` if it has
    parameters of these names. Raises RequestError for all that the user can put right.
    """
    own = load_target("schedule", target)
    if own.builder.__module__.startswith("torch.optim."):
        own.refuse("is a scheduler of torch, which changes an optimizer; give a function of the step instead")
    sizes = {"total": total, "steps_per_epoch": steps_per_epoch}
    given = {key: value for key, value in sizes.items() if key in own.parameters}
    of_step = not own.is_class and next(iter(own.parameters), "") == "step"
    checked = own.check(arguments, given, OWN_KEYS, first=1 if of_step else 0)
    function = (lambda step: own.builder(step, **checked)) if of_step else own.call(**checked)
    if not callable(function):
        own.refuse(f"returned a {type(function).__name__}, not a function of the step")
    schedule = OwnSchedule(repr((target, sorted(arguments.items()), total, steps_per_epoch)), function, own)
    for step in (0, total - 1):
        factor = schedule(step)
        if not (math.isfinite(factor) and factor >= 0):
            own.refuse(f"gives {factor:g} at step {step}; the factor of the learning rate must be 0 or more")
    return schedule
