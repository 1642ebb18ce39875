"""False findings and power when a report is read after each seed: `python -m tests.studies.looks [STUDIES]`.

Every pair of settings is compared as the report does it, at the level that `level_now` gives.
Axes: R studies, C settings, S seeds, M pairs of settings.
"""

import sys
from dataclasses import dataclass

import numpy as np

from dlx.stats.intervals import LEVEL
from dlx.stats.sequential import Look, level_now
from dlx.stats.tests import holm, paired_tests

FIRST, LAST = 3, 20  # seeds at the first and at the last look
EVERY = range(FIRST, LAST + 1)
HOPEFUL = 0.2  # p below which the plan is left as it is


@dataclass(frozen=True)
class Policy:
    """When the report is read, and what had been asked for by then.

    `spends`: else every look tests at LEVEL. `waits`: if the smallest p at the first look is at most HOPEFUL,
    the report is read when that look's plan is complete, and not later.
    """

    name: str
    looks: list[Look]
    spends: bool = True
    waits: bool = False

    def level(self, looks: list[Look], tests: int) -> float:
        """Return the level of the last of these looks for a family of `tests`."""
        *before, now = looks
        return level_now(before, now.units, now.planned, tests) if self.spends else LEVEL


POLICIES = [
    Policy("5% at each look", [Look(n, n) for n in EVERY], spends=False),
    Policy("20 seeds, read once", [Look(LAST, LAST)]),
    Policy("a plan of 20 seeds", [Look(n, LAST) for n in EVERY]),
    Policy("seed after seed, no plan", [Look(n, n) for n in EVERY]),
    Policy("3 seeds, then 5, 10, 20", [Look(n, n) for n in (3, 5, 10, 20)]),
    Policy("10 seeds, then 20", [Look(n, n) for n in (10, 20)]),
    Policy("3 of 4, then 20 unless p < 0.2", [Look(3, 4), Look(20, 20)], waits=True),
    Policy("9 of 10, then 20 unless p < 0.2", [Look(9, 10), Look(20, 20)], waits=True),
]


def corrected_ps(scores_CS: np.ndarray) -> dict[int, np.ndarray]:
    """Return each pair's p after Holm's correction [M], by the number of seeds."""
    first_M, second_M = np.triu_indices(len(scores_CS), k=1)
    differences_MS = scores_CS[first_M] - scores_CS[second_M]
    return {n: holm(paired_tests(differences_MS[:, :n], len(scores_CS)).p_M) for n in EVERY}


def seeds_until_found(policy: Policy, ps: dict[int, np.ndarray]) -> np.ndarray:
    """Return how many seeds each pair of settings had when it was found to differ, [M]; 0 if never."""
    found_M = np.zeros(len(ps[FIRST]), dtype=int)
    looks: list[Look] = []
    ahead = list(policy.looks)
    while ahead:
        looks.append(ahead.pop(0))
        p_M = ps[looks[-1].units]
        found_M[(found_M == 0) & (p_M <= policy.level(looks, len(p_M)))] = looks[-1].units
        if policy.waits and len(looks) == 1 and p_M.min() <= HOPEFUL:
            ahead = [Look(looks[0].planned, looks[0].planned)]
    return found_M


def simulate(policies: list[Policy], studies: int, settings: int, ahead: float) -> list[np.ndarray]:
    """Return, for each policy, how many seeds it took to find the pairs of each study, [R, M]; 0 if never.

    Scores are normal. The first setting leads by `ahead` deviations of a paired difference.
    """
    found = []
    for study in range(studies):
        scores_CS = np.random.default_rng([settings, study]).standard_normal((settings, LAST))
        scores_CS[0] += ahead * np.sqrt(2)
        ps = corrected_ps(scores_CS)
        found.append([seeds_until_found(policy, ps) for policy in policies])
    return [np.array(of_policy) for of_policy in zip(*found, strict=True)]


def share_of_false_findings(found_RM: np.ndarray) -> float:
    """Return the share of studies in which some pair was found."""
    return float((found_RM > 0).any(axis=1).mean())


def share_and_seeds(found_RM: np.ndarray, settings: int, last: int) -> tuple[float, float]:
    """Return the share of pairs with the first setting that were found, and the seeds used on average."""
    with_first_RM = found_RM[:, : settings - 1]
    return float((with_first_RM > 0).mean()), float(np.where(with_first_RM > 0, with_first_RM, last).mean())


def main(studies: int) -> None:
    """Print the table."""
    print(f"{'':<34}{'settings':>8}{'false':>8}{'found':>8}{'seeds':>8}")
    for settings in (2, 4, 8):
        equal = simulate(POLICIES, studies, settings, 0.0)
        apart = simulate(POLICIES, studies // 5, settings, 1.0)
        for policy, equal_RM, apart_RM in zip(POLICIES, equal, apart, strict=True):
            share, seeds = share_and_seeds(apart_RM, settings, policy.looks[-1].units)
            false = share_of_false_findings(equal_RM)
            print(f"{policy.name:<34}{settings:>8}{false:>8.3f}{share:>8.2f}{seeds:>8.1f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
