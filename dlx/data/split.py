"""Drawing the training, validation and test splits: exact sizes, no overlap, one seed.

Axes: N samples of the pool (the source's training part).

The pool is put in a random order once. Validation is its front, test its end, and training what follows
validation. So changing `train_size` keeps the validation and test samples, a smaller training split is
part of a larger one, and changing `test_size` moves neither of the others.
"""

import math

import torch
from torch import Tensor

from dlx import rng
from dlx.data.source import Arrays, Source
from dlx.errors import RequestError

Size = int | float | None

# The part of the pool that validates where val_size=null and the source has no validation set of its own.
DEFAULT_VALIDATION = 0.1


def split(
    source: Source, *, train_size: Size, val_size: Size, test_size: Size, seed: int | None, stratify: bool
) -> tuple[Arrays, Arrays, Arrays]:
    """Return (train, validation, test) of a source.

    A size is a count (int), a fraction of what it is drawn from, rounded down (float), or null:
    train: all that is left of the pool; validation: the source's own validation set, else a tenth of
    the pool; test: the source's own test set, else none. A size given where the source has such a set
    of its own draws from that set, otherwise from the pool. Without a `seed` the samples stay in the
    source's own order. `stratify` keeps the shares of the classes.
    Raises RequestError if a split would be larger than what is there, or train or validation empty.
    """
    pool = source.train
    val_count = test_count = 0
    if source.validation is None:
        fallback = DEFAULT_VALIDATION if val_size is None else val_size
        val_count = _count("val_size", fallback, len(pool), "training")
    if source.test is None and test_size is not None:
        test_count = _count("test_size", test_size, len(pool), "training")
    train_count = _train_count(train_size, len(pool), val_count, test_count)
    order_N = _order(pool.labels, seed, "split", stratify)
    train = _take(pool, order_N[val_count : val_count + train_count])
    val = _take(pool, order_N[:val_count])
    test = _take(pool, order_N[len(pool) - test_count :])
    if source.validation is not None:
        val = _draw(source.validation, "val_size", val_size, seed, "validation", stratify)
    if source.test is not None:
        test = _draw(source.test, "test_size", test_size, seed, "test", stratify)
    if len(val) == 0:
        raise RequestError(
            f"data.val_size={_shown(val_size)}: gives no validation sample, and runs are compared on them; "
            "give a count from 1 or a larger fraction"
        )
    return train, val, test


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
            f"data.train_size={_shown(size)}: no sample to train on; of {pool}, validation takes {val_count} "
            f"(data.val_size) and test {test_count} (data.test_size); give at least 1 or a larger fraction"
        )
    return count


def _count(key: str, size: int | float, available: int, part: str) -> int:
    if isinstance(size, int):
        if size > available:
            raise RequestError(
                f"data.{key}={size}: the data has only {available} {part} samples to draw from"
            )
        return size
    # Down, so that fractions that sum to 1 always fit; the tiny term undoes 0.29 * 100 = 28.999...
    return math.floor(size * available + 1e-9)


def _shown(size: Size) -> str:
    return "null" if size is None else str(size)


def _draw(own: Arrays, key: str, size: Size, seed: int | None, part: str, stratify: bool) -> Arrays:
    if size is None:
        return own
    count = _count(key, size, len(own), part)
    return _take(own, _order(own.labels, seed, f"split/{part}", stratify)[:count])


def _take(arrays: Arrays, index: Tensor) -> Arrays:
    return Arrays(arrays.inputs.index_select(0, index), arrays.labels.index_select(0, index))


def _order(labels_N: Tensor, seed: int | None, purpose: str, stratify: bool) -> Tensor:
    """Return a random order [N] of the samples, or their own; stratified: every stretch has the shares."""
    if seed is None:
        order_N = torch.arange(len(labels_N))
    else:
        order_N = torch.randperm(len(labels_N), generator=rng.generator(seed, purpose))
    return _interleave(order_N, labels_N[order_N]) if stratify else order_N


def _interleave(order_N: Tensor, labels_N: Tensor) -> Tensor:
    """Spread every class evenly over the order: the i-th of a class of n comes at (i + 1/2) / n.

    Every front part then holds the apportionment of Sainte-Lague, every other stretch a difference of
    two. Largest remainders would not nest: a larger split can need fewer of a class (the Alabama paradox).
    """
    by_class_N = torch.argsort(labels_N, stable=True)
    counts = torch.bincount(labels_N)
    first = counts.cumsum(0) - counts
    rank_N = torch.empty_like(by_class_N)
    rank_N[by_class_N] = torch.arange(len(labels_N)) - first[labels_N[by_class_N]]
    position_N = (rank_N.double() + 0.5) / counts[labels_N]
    return order_N[torch.argsort(position_N, stable=True)]  # ties stay in random order
