"""How often the promised number of pairs decides: `python -m tests.studies.promises [STUDIES]`.

A study has a pilot of K pairs, whose true difference is given in standard deviations. If the pilot is not
decided and a number of pairs is promised, that many are drawn, the pilot's included.
"""

import math
import sys

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from dlx.stats.intervals import LEVEL
from dlx.stats.power import POWER, pairs_to_decide, smallest
from dlx.stats.tests import paired_tests

MOST = 100


def as_observed(mean: float, std: float, count: int, level: float) -> int | None:
    """Return the number that takes the pilot's difference and deviation for the truth."""
    return smallest(lambda pairs: effect_found(pairs, level) <= abs(mean) / std, count + 1, MOST)


def effect_found(pairs: int, level: float) -> float:
    """Return the effect that a paired t test shows with probability POWER."""
    quantile = stdtrit(pairs - 1, 1 - level / 2)
    return float(nctdtrinc(pairs - 1, 1 - POWER, quantile)) / math.sqrt(pairs)


def kept(rule, pilot: int, effect: float, level: float, studies: int) -> tuple[float, float, float]:
    """Return the share of undecided pilots with a promise, the share of promises kept, and their median."""
    undecided, needed, decided = 0, [], []
    for study in range(studies):
        values = np.random.default_rng([pilot, study]).normal(effect, 1, MOST)
        mean, std = float(values[:pilot].mean()), float(values[:pilot].std(ddof=1))
        if p_value(values[:pilot]) <= level:
            continue
        undecided += 1
        pairs = rule(mean, std, pilot, level)
        if pairs is not None:
            needed.append(pairs)
            same_sign = values[:pairs].mean() * mean > 0
            decided.append(same_sign and p_value(values[:pairs]) <= level)
    if not decided:
        return 0.0, math.nan, math.nan
    return len(decided) / undecided, float(np.mean(decided)), float(np.median(needed))


def p_value(differences: np.ndarray) -> float:
    """Return the p value of the report's test for two settings."""
    return float(paired_tests(differences[None], 2).p_M[0])


def main(studies: int) -> None:
    """Print the table."""
    columns = [
        *("level", "pairs", "effect"),
        *("promised", "kept", "number"),
        *("promised", "kept", "number"),
    ]
    print(f"{'':<24}{'taken for the truth':^27}{'averaged':^27}")
    print("".join(f"{column:>{8 if i < 3 else 9}}" for i, column in enumerate(columns)))
    for level in (LEVEL, LEVEL / 28):
        for pilot in (5, 8):
            for effect in (0.25, 0.5, 1.0, 2.0):
                numbers = [
                    number
                    for rule in (as_observed, pairs_to_decide)
                    for number in kept(rule, pilot, effect, level, studies)
                ]
                cells = "".join(f"{number:>9.{0 if i % 3 == 2 else 2}f}" for i, number in enumerate(numbers))
                print(f"{level:>8.4f}{pilot:>8}{effect:>8}{cells}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
