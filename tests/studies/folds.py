"""Cross-validation of learners that are equally good on average: `python -m tests.studies.folds [STUDIES]`.

Each study draws a data set with as many groups of features as learners, and each learner sees one group.
Groups are alike, so by symmetry all learners have the same expected accuracy; a worse one is made by
weakening its group. Two tests and two intervals over the same folds: Student's t as for independent scores,
and with the variance of Nadeau and Bengio (2003).

Axes: S studies, N samples, C learners, D features of a group, K folds of a repeat, U folds of all repeats, M
samples of a fold.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlx.report.comparison import all_pairs
from dlx.report.scores import Scores
from dlx.run.folds import Folding
from dlx.stats.intervals import half_widths

LEVEL = 0.05
FEATURES = 5
SIGNAL = 0.4  # distance of the classes' means from 0 in each feature; accuracies of 0.7 to 0.8
WEAKER = 0.55  # the signal of a worse learner, as a share
NOISE = 0.3  # of the weights, relative, as if training began with another seed in each fold
TABLE = ((50, 5, 1), (50, 5, 2), (50, 5, 10), (150, 5, 1), (150, 5, 2), (150, 10, 1), (150, 10, 10))
Right = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def least_squares(x_SKMCD: np.ndarray, y_SKM: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which samples [S, K, M, C] a linear classifier gets right that was fitted to the other folds."""
    gram = np.einsum("skmcd,skmce->skcde", x_SKMCD, x_SKMCD)
    moment = np.einsum("skmcd,skm->skcd", x_SKMCD, y_SKM)
    gram, moment = gram.sum(1, keepdims=True) - gram, moment.sum(1, keepdims=True) - moment
    weights_SKCD = np.linalg.solve(gram, moment[..., None])[..., 0]
    size = np.linalg.norm(weights_SKCD, axis=-1, keepdims=True) / np.sqrt(FEATURES)
    weights_SKCD = weights_SKCD + NOISE * size * rng.normal(size=weights_SKCD.shape)
    return np.einsum("skmcd,skcd->skmc", x_SKMCD, weights_SKCD) * y_SKM[..., None] > 0


def nearest_neighbour(x_SKMCD: np.ndarray, y_SKM: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which samples [S, K, M, C] are of the class of the nearest sample in the other folds."""
    studies, folds, size, learners, features = x_SKMCD.shape
    same_fold_NN = np.kron(np.eye(folds, dtype=bool), np.ones((size, size), dtype=bool))
    right = np.empty((studies, folds * size, learners), dtype=bool)
    for study, y_N in enumerate(y_SKM.reshape(studies, -1)):
        for learner in range(learners):
            x_ND = x_SKMCD[study, :, :, learner].reshape(-1, features)
            square_N = (x_ND**2).sum(axis=1)
            distance_NN = square_N[:, None] + square_N - 2 * x_ND @ x_ND.T
            nearest_N = np.where(same_fold_NN, np.inf, distance_NN).argmin(axis=1)
            right[study, :, learner] = y_N[nearest_N] == y_N
    return right.reshape(studies, folds, size, learners)


LEARNERS = {"least squares": least_squares, "nearest neighbour": nearest_neighbour}


@dataclass(frozen=True)
class Rates:
    """Shares of studies: `false` findings among equal learners, `found` a worse one, mean in the interval.

    Each is a pair: Student's t, and the corrected one.
    """

    false: tuple[float, float]
    found: tuple[float, float]
    covered: tuple[float, float]


def accuracies(
    signals_C: np.ndarray, samples: int, folds: int, repeats: int, studies: int, right: Right, seed: int
) -> np.ndarray:
    """Return each learner's accuracy by fold [S, C, U]; half of the samples have the label 1, half -1."""
    rng = np.random.default_rng([samples, folds, repeats, len(signals_C), seed])
    y_SN = np.tile(np.where(np.arange(samples) % 2, 1.0, -1.0), (studies, 1))
    x_SNCD = rng.normal(size=(studies, samples, len(signals_C), FEATURES))
    x_SNCD += y_SN[..., None, None] * signals_C[:, None]
    of_repeats = []
    for _ in range(repeats):
        # Even rows are one class and odd rows the other, so neighbours are dealt out together.
        pairs = rng.permuted(np.tile(np.arange(samples // 2), (studies, 1)), axis=1)
        order_SN = np.stack([2 * pairs, 2 * pairs + 1], axis=-1).reshape(studies, samples)
        x_SKMCD = np.take_along_axis(x_SNCD, order_SN[..., None, None], axis=1)
        x_SKMCD = x_SKMCD.reshape(studies, folds, samples // folds, len(signals_C), FEATURES)
        y_SKM = np.take_along_axis(y_SN, order_SN, axis=1).reshape(studies, folds, samples // folds)
        of_repeats.append(right(x_SKMCD, y_SKM, rng).mean(axis=2))
    return np.concatenate(of_repeats, axis=1).swapaxes(1, 2)


def measure(
    samples: int, folds: int, repeats: int, learners: int, studies: int, right: Right = least_squares
) -> Rates:
    """Return the rates over so many studies."""
    equal_C = np.full(learners, SIGNAL)
    worse_C = equal_C * np.r_[WEAKER, np.ones(learners - 1)]
    equal_SCU = accuracies(equal_C, samples, folds, repeats, studies, right, 0)
    worse_SCU = accuracies(worse_C, samples, folds, repeats, studies, right, 1)
    expected, foldings = equal_SCU.mean(), (None, Folding((folds,), repeats))
    false, found, covered = np.zeros(2), np.zeros(2), np.zeros(2)
    for equal_CU, worse_CU in zip(equal_SCU, worse_SCU, strict=True):
        for index, folding in enumerate(foldings):
            false[index] += (all_pairs(_scores(equal_CU, folding)).p_holm_M <= LEVEL).any()
            family = all_pairs(_scores(worse_CU, folding))
            row = family.row_CC[0, 1]
            found[index] += family.p_holm_M[row] <= LEVEL and family.tests.mean_M[row] < 0
            half = half_widths(equal_CU[:1], folding.overlap if folding else 0.0)[0]
            covered[index] += abs(equal_CU[0].mean() - expected) <= half
    return Rates(tuple(false / studies), tuple(found / studies), tuple(covered / studies))


def _scores(values_CU: np.ndarray, folding: Folding | None) -> Scores:
    units = np.arange(values_CU.shape[1])
    return Scores(values_CU, np.zeros(values_CU.shape, dtype=bool), units, folding=folding)


def main() -> None:
    """Print the table."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    columns = ("false, t", "false, corrected", "found", "covered, t", "covered, corrected")
    print("| " + " | ".join(("learners", "samples", "folds", *columns)) + " |")
    print("|---|---|---|---|---|---|---|---|")
    for name, right in LEARNERS.items():
        for learners in (2, 4):
            for samples, folds, repeats in TABLE:
                rates = measure(samples, folds, repeats, learners, studies, right)
                numbers = (*rates.false, rates.found[1], *rates.covered)
                written = " | ".join(f"{number:.3f}" for number in numbers)
                print(f"| {learners}, {name} | {samples} | {repeats} x {folds} | {written} |", flush=True)


if __name__ == "__main__":
    main()
