# python -m tests.studies.effects [REPEATS]
"""How often effects of a grid's keys are found where there are none, and where there are: a table.

Axes: scores are [L1, ..., LK, U], with K keys of L values each and U seeds. The standard deviation of a run
is about 1. The standard error of a rate of 0.05 is 0.011 with 400 repeats.
"""

import itertools
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlx.stats.factorial import Contrast, check_contrasts, interaction_contrasts, main_contrasts
from dlx.stats.intervals import LEVEL

Scores = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...], int], Scores]

GRIDS = {"2x2x2": (2, 2, 2), "2x2x2x2x2": (2,) * 5, "3x4": (3, 4), "2x2x3": (2, 2, 3)}
SEEDS = (2, 3, 5, 10)
STEP = 0.8  # of rounded scores, in standard deviations: 500 images resolve about a tenth of that
MAIN, INTERACTION = 1.0, 2.0  # planted: the last key's effect; what the second key adds to the first key's


def normal(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    return rng.normal(size=(*levels, seeds))


def lucky_seeds(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    return normal(rng, levels, seeds) + 2 * rng.normal(size=seeds)


def skewed(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    return rng.exponential(size=(*levels, seeds))


def heavy_tails(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    return rng.standard_t(4, size=(*levels, seeds))


def rounded(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    return STEP * np.round(normal(rng, levels, seeds) / STEP)


def noisy_values(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    """Let the first key's values have deviations of 1, 3, 9, as learning rates do."""
    return _along(3.0 ** np.arange(levels[0]), 0, levels) * normal(rng, levels, seeds)


def noisy_combination(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    """Let one pair of values have a deviation of 8: no batch norm with the largest learning rate."""
    scores = normal(rng, levels, seeds)
    scores[-1, -1] *= 8
    return scores


def noisy_settings(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    return normal(rng, levels, seeds) * np.exp(0.7 * rng.normal(size=(*levels, 1)))


def effects_by_seed(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    """Let what each key does depend on the seed, as in real grids (contrasts of twice the variance)."""
    return sum(
        (_by_seed(rng, levels, seeds, key, 0.25) for key in range(len(levels))), normal(rng, levels, seeds)
    )


def one_effect_by_seed(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    return normal(rng, levels, seeds) + _by_seed(rng, levels, seeds, 0, 0.25)


def lost_runs(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    """Lose a twentieth of the runs."""
    scores = normal(rng, levels, seeds)
    scores[rng.random(scores.shape) < 0.05] = np.nan
    return scores


def one_wild_setting(rng: np.random.Generator, levels: tuple[int, ...], seeds: int) -> Scores:
    """Let a single setting have a deviation of 20, as if some of its runs collapse."""
    scores = normal(rng, levels, seeds)
    scores[(0,) * len(levels)] *= 20
    return scores


NOISES: dict[str, Noise] = {
    each.__name__.replace("_", " "): each
    for each in (
        normal,
        lucky_seeds,
        skewed,
        heavy_tails,
        rounded,
        noisy_values,
        noisy_combination,
        noisy_settings,
        effects_by_seed,
        one_effect_by_seed,
        lost_runs,
        one_wild_setting,
    )
}


class Rates(NamedTuple):
    """Shares of studies: `false`: an effect or interaction is found though none exists.

    With a planted effect and a planted interaction: `main` and `interaction` are found, and `false_beside`:
    another one is found that does not exist. `covered`: all intervals of the studies without effects hold.
    """

    false: float
    false_beside: float
    main: float
    interaction: float
    covered: float


def measure(noise: Noise, levels: tuple[int, ...], seeds: int, repeats: int) -> Rates:
    """Simulate studies of a grid without effects, and with planted ones."""
    rng = np.random.default_rng([seeds, repeats, *levels])
    contrasts = all_contrasts(levels)
    planted = plant(levels)
    true_M = check_contrasts(planted[..., None].repeat(2, axis=-1), contrasts).mean_M
    of_main = [index for index, each in enumerate(contrasts) if each.keys == (len(levels) - 1,)]
    of_pair = [index for index, each in enumerate(contrasts) if each.keys == (0, 1)]
    counts = np.zeros(5)
    step = STEP if noise is rounded else 0.0
    for _ in range(repeats):
        scores = noise(rng, levels, seeds)
        nothing = check_contrasts(scores, contrasts, resolution=step)
        tests = check_contrasts(scores + planted[..., None], contrasts, resolution=step)
        found_M = tests.p_holm_M <= LEVEL
        low_M, high_M = nothing.low_M - 1e-9, nothing.high_M + 1e-9
        counts += [
            bool((nothing.p_holm_M <= LEVEL).any()),
            bool(found_M[np.abs(true_M) < 1e-9].any()),
            bool(found_M[of_main].any()),
            bool(found_M[of_pair].any()),
            bool(((low_M <= 0) & (high_M >= 0) | np.isnan(low_M)).all()),
        ]
    return Rates(*(float(count) for count in counts / repeats))


def all_contrasts(levels: tuple[int, ...]) -> list[Contrast]:
    """Return the contrasts of all keys and of all pairs of keys."""
    keys = range(len(levels))
    contrasts = [each for key in keys for each in main_contrasts(levels, key)]
    pairs = itertools.combinations(keys, 2)
    return contrasts + [each for pair in pairs for each in interaction_contrasts(levels, *pair)]


def plant(levels: tuple[int, ...]) -> Scores:
    """Return mean scores: MAIN at the last key's last value; the first key acts at one of the second's."""
    means = np.zeros(levels)
    means[..., -1] += MAIN
    corner = np.zeros(levels)
    corner[-1, -1] = INTERACTION
    return means + corner


def _along(values: Scores, key: int, levels: tuple[int, ...]) -> Scores:
    """Return values [L, ...] of one key in the shape of scores."""
    shape = [1] * (len(levels) + 1)
    shape[key] = len(values)
    shape[-1] = values.shape[1] if values.ndim > 1 else 1
    return values.reshape(shape)


def _by_seed(
    rng: np.random.Generator, levels: tuple[int, ...], seeds: int, key: int, deviation: float
) -> Scores:
    return _along(deviation * rng.normal(size=(levels[key], seeds)), key, levels)


def main(repeats: int) -> None:
    """Print a row for each grid, number of seeds and kind of noise, and the means over kinds."""
    print("| grid | seeds | noise | false | false beside | effect found | interaction found |")
    print("|---|--:|---|--:|--:|--:|--:|")
    for (name, levels), seeds in itertools.product(GRIDS.items(), SEEDS):
        rates = {kind: measure(noise, levels, seeds, repeats) for kind, noise in NOISES.items()}
        ordinary = [each for kind, each in rates.items() if kind != "one wild setting"]
        rates["all but one wild setting"] = Rates(*np.mean(ordinary, axis=0))
        for kind, each in rates.items():
            cells = (f"{rate:.3f}" for rate in each[:4])
            print(f"| {name} | {seeds} | {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
