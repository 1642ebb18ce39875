"""Draws the training, validation and test splits: exact sizes, no overlap, one seed.

The pool, which is the source's training part, is shuffled once. Validation is its front, test its end, and
training follows validation. So `train_size` does not change the validation and test samples, a smaller
training split is part of a larger one, and `test_size` does not change the other splits.

Folds divide what would otherwise be training and validation, so they do not change the test samples either.

Axes: N samples of the pool.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dlx import rng
from dlx.data.folds import fold_of_each
from dlx.data.source import Arrays, Source
from dlx.errors import RequestError

Size = int | float | None

DEFAULT_VALIDATION = 0.1  # of the pool, if val_size=null and the source has no validation set of its own


@dataclass(frozen=True)
class Fold:
    """The validation split of a run of cross-validation: the `number`, from 1, of `folds` of one `repeat`."""

    folds: int
    number: int
    repeat: int


@dataclass(frozen=True)
class Splits:
    """The samples of the three splits.

    `val_rows` [N]: where those of validation are in the source's training part; None if they come from
    another part.
    """

    train: Arrays
    val: Arrays
    test: Arrays
    val_rows: Tensor | None = None


def split(
    source: Source,
    *,
    train_size: Size,
    val_size: Size,
    test_size: Size,
    seed: int | None,
    stratify: bool,
    fold: Fold | None = None,
) -> Splits:
    """Draw the training, validation and test samples of a source.

    A size is a count (int), a fraction of the samples it is drawn from, rounded down (float), or None. None
    means the rest of the pool for training, the source's own set or else a tenth of the pool for validation,
    and the source's own set or else no samples for test. Validation and test are drawn from the source's own
    set if it has one, otherwise from the pool. Without a `seed` the samples stay in the source's order.
    `stratify` keeps the shares of the classes. With a `fold`, the samples of training and validation are
    divided into folds, with equal shares of the classes; validation is that fold, and training the others.
    Raises RequestError if there are too few samples for a split, or if training or validation would be empty.
    """
    pool = source.train
    if fold is not None and source.validation is not None:
        raise RequestError(
            f"data.folds={fold.folds}: the data set has a validation set of its own; join it with the "
            "training set, because folds are drawn from one set"
        )
    val_count = test_count = 0
    if source.validation is None:
        fallback = DEFAULT_VALIDATION if val_size is None else val_size
        val_count = _count("val_size", fallback, len(pool), "training")
    if source.test is None and test_size is not None:
        test_count = _count("test_size", test_size, len(pool), "training")
    train_count = _train_count(train_size, len(pool), val_count, test_count)
    order_N = _order(pool.labels, seed, "split", stratify)
    train_rows, val_rows = order_N[val_count : val_count + train_count], order_N[:val_count]
    if fold is not None:
        train_rows, val_rows = _divide(pool.labels, order_N[: val_count + train_count], seed, fold)
    train, val = pool.select(train_rows), pool.select(val_rows)
    test = pool.select(order_N[len(pool) - test_count :])
    if source.validation is not None:
        val = _draw(source.validation, "val_size", val_size, seed, "validation", stratify)
    if source.test is not None:
        test = _draw(source.test, "test_size", test_size, seed, "test", stratify)
    if len(val) == 0:
        raise RequestError(
            f"data.val_size={_shown(val_size)}: leaves no validation samples, which dlx needs to compare "
            "runs; give a count of at least 1 or a larger fraction"
        )
    return Splits(train, val, test, val_rows if source.validation is None else None)


def _divide(labels: Tensor, rows_N: Tensor, seed: int | None, fold: Fold) -> tuple[Tensor, Tensor]:
    """Return the rows to train on and those to validate on; each repeat shuffles them anew."""
    if seed is not None:
        draws = rng.generator(seed, "folds", fold.repeat)
        rows_N = rows_N[torch.randperm(len(rows_N), generator=draws)]
    chosen_N = fold_of_each(labels[rows_N], fold.folds) == fold.number
    return rows_N[~chosen_N], rows_N[chosen_N]


def _train_count(size: Size, pool: int, val_count: int, test_count: int) -> int:
    left = pool - val_count - test_count
    count = left if size is None else _count("train_size", size, pool, "training")
    if left < 0 or count > left:
        raise RequestError(
            f"data.train_size={_shown(size)}: of {pool} training samples, validation takes {val_count} "
            f"(data.val_size) and test {test_count} (data.test_size), which leaves {max(left, 0)} to train on"
        )
    if count == 0:
        raise RequestError(
            f"data.train_size={_shown(size)}: leaves no sample to train on; of {pool}, validation takes "
            f"{val_count} (data.val_size) and test {test_count} (data.test_size); give a count of at least 1 "
            "or a larger fraction"
        )
    return count


def _count(key: str, size: int | float, available: int, part: str) -> int:
    if isinstance(size, int):
        if size > available:
            raise RequestError(
                f"data.{key}={size}: the data has only {available} {part} samples to draw from"
            )
        return size
    # Rounded down, so that fractions that sum to 1 always fit; 1e-9 corrects 0.29 * 100 = 28.999...
    return math.floor(size * available + 1e-9)


def _shown(size: Size) -> str:
    return "null" if size is None else str(size)


def _draw(own: Arrays, key: str, size: Size, seed: int | None, part: str, stratify: bool) -> Arrays:
    if size is None:
        return own
    count = _count(key, size, len(own), part)
    return own.select(_order(own.labels, seed, f"split/{part}", stratify)[:count])


def _order(labels_N: Tensor, seed: int | None, purpose: str, stratify: bool) -> Tensor:
    """Return a random order [N] of the samples, or their own without a seed, spread by class to stratify."""
    if seed is None:
        order_N = torch.arange(len(labels_N))
    else:
        order_N = torch.randperm(len(labels_N), generator=rng.generator(seed, purpose))
    return _interleave(order_N, labels_N[order_N]) if stratify else order_N


def _interleave(order_N: Tensor, labels_N: Tensor) -> Tensor:
    """Spread every class evenly over the order: the i-th of n samples of a class comes at (i + 1/2) / n.

    The first samples, however many, are then apportioned by Sainte-Lague's method, so smaller splits are part
    of larger ones. With largest remainders, a larger split can need fewer of a class (the Alabama paradox).
    """
    by_class_N = torch.argsort(labels_N, stable=True)
    counts = torch.bincount(labels_N)
    first = counts.cumsum(0) - counts
    rank_N = torch.empty_like(by_class_N)
    rank_N[by_class_N] = torch.arange(len(labels_N)) - first[labels_N[by_class_N]]
    position_N = (rank_N.double() + 0.5) / counts[labels_N]
    return order_N[torch.argsort(position_N, stable=True)]  # ties stay in random order
