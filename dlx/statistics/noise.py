"""How much of a score is the luck of its seed, and how much that of the validation samples.

S seeds, each a run; N validation samples, the same for every run. A value is what a run made of a sample:
1 or 0 for right or wrong, or the difference of two settings.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Noise:
    """The variance components of one value: x = mean + seed + sample + rest, all random and independent.

    `seeds`, `samples`, `rest`: the variances of the three, no less than 0. A score is a mean over
    `sample_count` samples.
    """

    seeds: float
    samples: float
    rest: float
    sample_count: int

    @property
    def seed_std(self) -> float:
        """How far another seed would move a run's score on the same samples."""
        return math.sqrt(self.seeds + self.rest / self.sample_count)

    @property
    def sample_std(self) -> float:
        """How far as many other samples would move the score of the same network."""
        return math.sqrt((self.samples + self.rest) / self.sample_count)

    def variance(self, seeds: float, samples: float) -> float:
        """Return the variance of a mean over so many seeds and samples, both drawn anew."""
        return self.seeds / seeds + self.samples / samples + self.rest / (seeds * samples)


def split_noise(values_SN: NDArray[np.float64]) -> Noise:
    """Split the variance of values, [S, N], by two-way analysis of variance; S >= 2, N >= 2.

    The mean squares of seeds, samples and rest have the expectations N a + e, S b + e and e (crossed random
    effects with one value a cell: Searle, Casella and McCulloch, Variance Components, 1992, section 4.3). Of
    several settings, [C, S, N], they are averaged before anything is bounded by 0.
    """
    *_, seeds, samples = values_SN.shape
    of_seed, of_sample = values_SN.mean(axis=-1, keepdims=True), values_SN.mean(axis=-2, keepdims=True)
    mean = of_seed.mean(axis=-2, keepdims=True)
    by_seed = samples * _square(of_seed - mean) / (seeds - 1)
    by_sample = seeds * _square(of_sample - mean) / (samples - 1)
    rest = _square(values_SN - of_seed - of_sample + mean) / ((seeds - 1) * (samples - 1))
    return Noise(max(0.0, (by_seed - rest) / samples), max(0.0, (by_sample - rest) / seeds), rest, samples)


def _square(values_SN: NDArray[np.float64]) -> float:
    return float((values_SN**2).sum(axis=(-2, -1)).mean())
