"""Where a figure of a right solution falls: prediction intervals from the runs of a reference.

Axes: K runs of the reference or of a student.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from dlx.errors import RequestError
from dlx.grade.assignment import AskedFigure
from dlx.metrics.catalogue import facts, is_share
from dlx.reproduce.measure import PARAMETERS
from dlx.stats.intervals import Interval, prediction_interval
from dlx.stats.skewed import skewed_factor
from dlx.stats.tests import resolution

Scale = Literal["linear", "log", "arcsine"]
# Equal runs of dlx's two engines differ by about this much of a loss (docs/how-to/grid.md).
ROUNDING = 1e-4
TO_SCALE: dict[Scale, Callable[[float], float]] = {
    "linear": float,
    "log": math.log,
    "arcsine": lambda share: math.asin(math.sqrt(share)),
}


@dataclass(frozen=True)
class Limits:
    """The limits of a figure, from the `values_K` of the reference's runs.

    `level`: the probability that the mean of a right solution's runs falls outside. `samples`: in the split
    that the figure is a share of; None if unknown.

    The interval is Student's, on a scale on which the scores of seeds are about normal, with about equal
    deviations. For a share of samples that is its arcsine square root, which makes the variance of a count
    independent of its mean and stays between 0 and 1 (Anscombe, Biometrika 35, 1948). On the plain scale an
    interval near 1 reaches beyond it, and is too short below. A positive figure, such as a loss, is on a
    log scale (Box and Cox 1964), any other one as it is.

    Even there, scores have a long tail on the side where training goes wrong: skewnesses of 1.0 to 1.7 in
    losses of real runs. On that side the limit is the one for a Gumbel distribution, if it is wider.
    docs/simulations.md, "Grades", has the measured rates.

    A count of samples has a deviation of at least one sample. Equal reference runs do not show that a figure
    never varies, and a right solution that gets one sample wrong should not fail.
    """

    figure: AskedFigure
    values_K: Sequence[float]
    level: float
    samples: int | None = None

    @cached_property
    def scale(self) -> Scale:
        """The scale of the interval."""
        if self.figure.scale != "auto":
            return self.figure.scale
        if self.figure.metric == PARAMETERS:
            return "linear"
        if is_share(self.figure.metric):
            return "arcsine"
        return "log" if min(self.values_K) > 0 else "linear"

    def mean(self, values_K: Sequence[float]) -> float:
        """Return the mean of runs on the scale, as a figure."""
        return self._figure(math.fsum(self._on_scale(value) for value in values_K) / len(values_K))

    def interval(self, runs: int) -> Interval:
        """Return where the mean of `runs` runs of a right solution falls; an end may be infinite."""
        level = self.level if self.figure.fails == "outside" else 2 * self.level  # all on one side
        scaled_K = [self._on_scale(value) for value in self.values_K]
        found = prediction_interval(scaled_K, level, runs, self._least_std)
        skewed = found.std * skewed_factor(len(scaled_K), level / 2, runs)
        higher = facts(self.figure.metric).higher_is_better
        low = found.low if higher is False else min(found.low, found.mean - skewed)
        high = found.high if higher is True else max(found.high, found.mean + skewed)
        if self.scale == "arcsine":  # beyond these the figure would turn back
            low, high = max(low, 0.0), min(high, math.pi / 2)
        return Interval(
            -math.inf if self.figure.fails == "above" else self._figure(low),
            math.inf if self.figure.fails == "below" else self._figure(high),
        )

    def holds(self, values_K: Sequence[float]) -> bool:
        """Return whether the mean of a student's runs lies inside."""
        low, high = self.interval(len(values_K))
        mean = self.mean(values_K)
        slack = 1e-9 * max(1.0, abs(mean))  # for rounding on the way to the scale and back
        return low - slack <= mean <= high + slack

    @cached_property
    def _least_std(self) -> float:
        """The smallest standard deviation that is assumed on the scale."""
        if self.figure.metric == PARAMETERS:
            return 0.0
        middle = float(np.mean([self._on_scale(value) for value in self.values_K]))
        if is_share(self.figure.metric):
            step = 1 / self.samples if self.samples else resolution(self.values_K)
            share = self._figure(middle)
            inside = self._on_scale(share - step if share > step else share + step)
            return abs(inside - middle)
        return ROUNDING if self.scale == "log" else ROUNDING * abs(middle)

    def _on_scale(self, value: float) -> float:
        if self.scale == "log" and value <= 0:
            return -math.inf
        return TO_SCALE[self.scale](min(1.0, max(0.0, value)) if self.scale == "arcsine" else value)

    def _figure(self, scaled: float) -> float:
        if self.scale == "arcsine":
            return math.sin(scaled) ** 2
        return math.exp(scaled) if self.scale == "log" and scaled < 700 else scaled


def check_values(figure: AskedFigure, values_K: Sequence[float], samples: int | None) -> None:
    """Raise RequestError if the reference's values of a figure give no interval."""
    if figure.scale == "log" and min(values_K) <= 0:
        raise RequestError(
            f"figure '{figure.label}': scale: log needs positive values; the reference has {min(values_K):g}"
        )
    if is_share(figure.metric) and samples is None and min(values_K) == max(values_K):
        raise RequestError(
            f"figure '{figure.label}': all {len(values_K)} reference runs have {values_K[0]:g}, so their "
            "spread is unknown; add seeds to the reference"
        )
