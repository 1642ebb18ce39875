"""What a command of dlx costs, fitted to measured points: a sum of terms, none of them below 0.

The terms are what a command does once, for each run, for each call of a step, for each run's step, and for
each multiply-add of a step's forward pass.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TERMS = (
    "once, s",
    "a run, ms",
    "a step of all runs, µs",
    "a run's step, µs",
    "10^9 multiply-adds, ms",
)
UNITS = (1.0, 1e3, 1e6, 1e6, 1e12)  # of the terms, in seconds


@dataclass(frozen=True)
class Work:
    """What a command trains: runs of a net F-W-W/2-K on so many samples that differ in their seeds."""

    runs: int = 10
    width: int = 16
    samples: int = 1000
    epochs: int = 10
    features: int = 64
    classes: int = 10
    batch: int = 32

    @property
    def steps(self) -> int:
        """Optimizer steps of one run."""
        return self.epochs * math.ceil(self.samples / self.batch)

    @property
    def multiply_adds(self) -> float:
        """Of all runs' forward passes in training."""
        sizes = (self.features, self.width, self.width // 2, self.classes)
        one = sum(math.prod(sizes[layer : layer + 2]) for layer in range(len(sizes) - 1))
        return float(self.runs * self.epochs * self.samples * one)

    def terms(self) -> tuple[float, ...]:
        """Return how much of each term it has."""
        return (1.0, self.runs, self.steps, self.runs * self.steps, self.multiply_adds)


@dataclass(frozen=True)
class CostModel:
    """Seconds a unit of each term, in the order of TERMS."""

    seconds: tuple[float, ...]

    def predict(self, work: Work) -> float:
        """Return the seconds of a command."""
        return math.fsum(a * b for a, b in zip(self.seconds, work.terms(), strict=True))


def fit(works: Sequence[Work], seconds: Sequence[float]) -> CostModel:
    """Fit the terms by least squares of relative errors; a term that comes out negative is left out.

    Points of 2 s and of 100 s weigh the same, because what counts is by what factor the model is off.
    """
    terms_PT = np.array([work.terms() for work in works]) / np.asarray(seconds)[:, None]
    kept = list(range(terms_PT.shape[1]))
    while True:
        solved = _solve(terms_PT[:, kept])
        if (solved >= 0).all():
            break
        kept.pop(int(solved.argmin()))
    found = np.zeros(terms_PT.shape[1])
    found[kept] = solved
    return CostModel(tuple(found.tolist()))


def _solve(terms_PT: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the terms whose sum is closest to 1 at each point; columns are scaled, since units differ."""
    scale_T = np.linalg.norm(terms_PT, axis=0)
    solved: NDArray[np.float64] = np.linalg.lstsq(terms_PT / scale_T, np.ones(len(terms_PT)), rcond=None)[0]
    return solved / scale_T
