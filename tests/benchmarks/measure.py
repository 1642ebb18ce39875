"""Measures contestants in turn, round after round, so that what else the machine does meets all alike."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

log = logging.getLogger(__name__)

Contestant = Callable[
    [], Mapping[str, float]
]  # returns what it took by quantity, in seconds if not said otherwise


@dataclass
class Samples:
    """What one contestant took, by quantity, a value a round; `error` in one line if it failed."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    error: str | None = None

    def median(self, quantity: str) -> float | None:
        """Return the median of a quantity; None if the contestant failed or has no such quantity."""
        values = self.seconds.get(quantity)
        return None if self.error or not values else median(values)


def interleave(
    contestants: Mapping[str, Contestant], rounds: int, on_measured: Callable[[str, str], None]
) -> dict[str, Samples]:
    """Measure each contestant once a round, each round beginning with the next one.

    A contestant that raises is logged and left out of later rounds; the others go on. `on_measured` is told
    the contestant's name and what it took, in words.
    """
    measured = {name: Samples() for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            samples = measured[name]
            if samples.error is not None:
                continue
            try:
                seconds = contestants[name]()
            except Exception as error:
                log.exception("%s failed", name)
                samples.error = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                on_measured(name, "failed")
                continue
            for quantity, value in seconds.items():
                samples.seconds.setdefault(quantity, []).append(value)
            on_measured(name, ", ".join(f"{quantity} {value:.3g}" for quantity, value in seconds.items()))
    return measured


def ratio(over: float | None, under: float | None) -> float | None:
    """Return a ratio of medians; None if either was not measured."""
    return None if over is None or under is None or under == 0 else over / under
