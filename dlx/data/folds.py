"""Divides samples into the folds of cross-validation: of equal size, and with equal shares of the classes.

Axes: N samples, in random order.
"""

import torch
from torch import Tensor

from dlx.errors import RequestError


def fold_of_each(labels_N: Tensor, folds: int) -> Tensor:
    """Return the fold [N], from 1, of samples with these labels; each fold is the validation split of a run.

    Samples are sorted by class and dealt out like cards. So the sizes of two folds, and the counts of a class
    in them, differ by at most one, as in scikit-learn's StratifiedKFold. Labels that are numbers, or several
    per sample, are dealt out in the order given. Raises RequestError if there are fewer samples than folds.
    """
    count = len(labels_N)
    if folds > count:
        raise RequestError(f"data.folds={folds}: there are only {count} samples to divide")
    by_class_N = torch.arange(count) if labels_N.is_floating_point() else torch.argsort(labels_N, stable=True)
    fold_N = torch.empty(count, dtype=torch.int64)
    fold_N[by_class_N] = torch.arange(count) % folds + 1
    return fold_N


def note_on_small_classes(labels_N: Tensor, classes: tuple[str, ...], folds: int) -> list[str]:
    """Return a sentence on the classes that have fewer samples than there are folds."""
    if labels_N.is_floating_point():
        return []
    counts = torch.bincount(labels_N, minlength=len(classes)).tolist()
    small = [(name, count) for name, count in zip(classes, counts, strict=True) if 0 < count < folds]
    if not small:
        return []
    name, count = small[0]
    others = f"; {len(small) - 1} more classes have fewer samples than folds" if small[1:] else ""
    samples = f"{count} sample{'s' * (count > 1)}"
    return [f"data.folds={folds}: class '{name}' has {samples}, so some folds have none{others}"]
