"""The level of a report that is read again and again while seeds are added.

The seeds of a plan share LEVEL. Reading early spends little of it (O'Brien-Fleming spending, Lan and DeMets
1983), so the full plan is tested at nearly LEVEL, and at exactly LEVEL if it is read once. Seeds that are
added after the full plan was read share RESERVE instead. A single comparison is therefore found by chance in
up to LEVEL + RESERVE = 5.5% of studies. Over 18 looks at 2, 4 and 8 equal settings the report found 5.2, 4.2
and 2.9% with a plan, and 5.0, 3.4 and 2.1% when each seed extended it (`python -m tests.studies.looks`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dlx.stats.intervals import LEVEL

RESERVE = 0.005  # each extension takes half of what is left, so that there can always be another
FARTHEST = 8.0  # standard errors; 1e-15 lies beyond
TOLERANCE = 1e-13  # of a boundary, relative: as exact as the integral
NODES = 3.0  # of the integral, for each standard deviation of a step: exact to 1e-12


@dataclass(frozen=True)
class Look:
    """A reading of the report: `units` independent repeats had ended of `planned` that had been asked for."""

    units: int
    planned: int

    @property
    def complete(self) -> bool:
        """Whether everything that had been asked for had ended."""
        return self.units >= self.planned


def level_now(looks: Sequence[Look], units: int, planned: int, tests: int = 1) -> float:
    """Return the two-sided level for a report on `units` of `planned` units, after earlier `looks`.

    Compare p values with it that have been corrected for the family of `tests`. It is LEVEL if the plan is
    complete and was not read before. Without new units it is the level of the look that had as many, because
    reading the same results twice changes nothing. `looks`: in order, with more units each time.
    """
    before = [look for look in looks if look.units < units]
    now = looks[len(before)] if len(before) < len(looks) else Look(units, planned)
    if not before and now.complete:
        return LEVEL  # to the last bit
    return tests * _levels((*before, now), tests)[-1]


@lru_cache(maxsize=256)
def _levels(looks: tuple[Look, ...], tests: int) -> tuple[float, ...]:
    """Return the nominal level of each look for one of the `tests`.

    Spending LEVEL and dividing each look's level by the number of tests is not enough: far in the tails the
    looks depend less on each other. For 18 looks at 8 equal settings that found 6.1%, and this finds 4.8% (by
    ordinary paired t tests with Holm's correction).
    """
    information = [_information(look.units, tests) for look in looks]
    return nominal_levels(information, spending(looks, tests))


def _information(units: int, tests: int) -> float:
    """Return the variance that a random walk must have reached for its steps to resemble those of t.

    From n to n + 1 units t at the boundary z moves by its mean, with variance 1 / n, and by its standard
    deviation, with z^2 / (2 n^2). Their sum is the derivative of log(n exp(-z^2 / (2 n))). With n itself, 18
    looks at 2 equal settings found 5.5 to 5.6%; with this, 5.4%, and 0.2 points less for 4 and 8.
    """
    from scipy.special import ndtri

    return units * math.exp(-(float(ndtri(LEVEL / tests / 2)) ** 2) / (2 * units))


def spending(looks: Sequence[Look], tests: int = 1) -> list[float]:
    """Return how much each look spends of the level of one of the `tests`.

    A plan that was read when it was complete has spent everything; what is added then takes half of the
    reserve that is left. A plan that grew after it was read in part passes on half of what it has not spent:
    whoever enlarges it only when the results look bad has two chances. Passing on everything found 7.4% with
    looks at 3 of 4 seeds and then, unless p was below 0.2, of 20. Passing on half found 6.3%.
    """
    spent: list[float] = []
    reserve, budget, used, begun = RESERVE / tests, LEVEL / tests, 0.0, 0
    last: Look | None = None
    for look in looks:
        if last is not None and last.complete:
            budget = reserve = reserve / 2
            used, begun = 0.0, last.units
        elif last is not None and last.planned != look.planned:
            budget, used, begun = (budget - used) / 2, 0.0, last.units
        fraction = 1.0 if look.complete else (look.units - begun) / (look.planned - begun)
        spent.append(obrien_fleming(fraction, budget) - used)
        used += spent[-1]
        last = look
    return spent


def obrien_fleming(fraction: float, level: float) -> float:
    """Return how much of a two-sided `level` is spent once this `fraction` of the information is there.

    2 - 2 Phi(z / sqrt(fraction)) on each side, where z leaves level / 4 above it (Lan and DeMets, "Discrete
    sequential boundaries for clinical trials", 1983).
    """
    from scipy.special import ndtr, ndtri

    if fraction >= 1:
        return level
    return 4 * float(ndtr(ndtri(level / 4) / math.sqrt(fraction)))


def nominal_levels(information: Sequence[float], spent: Sequence[float]) -> tuple[float, ...]:
    """Return each look's two-sided nominal level, for looks at `information` that spend `spent`.

    The sum of all values so far is a random walk with variance `information`. The density of the paths that
    no look has ended is carried from look to look by numerical integration; each boundary ends the share of
    paths that its look may spend. (Armitage, McPherson and Rowe, "Repeated significance tests on accumulating
    data", 1969.)
    """
    from scipy.special import ndtr

    levels: list[float] = []
    at_N, mass_N = np.zeros(1), np.ones(1)  # the walk begins at 0
    steps = np.sqrt(np.diff([0.0, *information]))
    finest = np.minimum(steps, [*steps[1:], math.inf])
    for variance, step, fine, share in zip(information, steps, finest, spent, strict=True):
        reach = _reach(at_N, mass_N, step, FARTHEST * math.sqrt(variance), share)
        levels.append(2 * float(ndtr(-reach / math.sqrt(variance))))
        nodes_N, weights_N = _gauss_legendre(math.ceil(2 * NODES * reach / fine) + 16)
        next_N = reach * nodes_N
        kernel_NN = np.exp(-(((next_N[:, None] - at_N) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
        at_N, mass_N = next_N, reach * weights_N * (kernel_NN @ mass_N)
    return tuple(levels)


def _reach(
    at_N: NDArray[np.float64], mass_N: NDArray[np.float64], step: float, farthest: float, share: float
) -> float:
    """Return the distance from 0 beyond which the next look finds this `share` of the paths.

    By bisection, because importing scipy.optimize takes as long as a tenth of a small report.
    """
    from scipy.special import ndtr

    def excess(reach: float) -> float:
        beyond_N = ndtr((-reach - at_N) / step) + ndtr((at_N - reach) / step)
        return float(mass_N @ beyond_N) - share

    if excess(farthest) >= 0:
        return farthest
    nearer = 0.0
    while farthest - nearer > TOLERANCE * farthest:
        middle = (nearer + farthest) / 2
        nearer, farthest = (middle, farthest) if excess(middle) > 0 else (nearer, middle)
    return (nearer + farthest) / 2


@lru_cache(maxsize=64)
def _gauss_legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the nodes and weights of the integral from -1 to 1.

    NumPy's, because SciPy's import all of scipy.linalg: 0.2 s, of a small report's 3.
    """
    from numpy.polynomial.legendre import leggauss

    nodes_N, weights_N = leggauss(count)
    return nodes_N, weights_N
