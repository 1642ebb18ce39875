"""predictions.npz: the validation outputs of the last and the best epoch, the labels, and the samples' rows.

Outputs that predict a class are stored as float16 if that changes no prediction, else as float32; others keep
their type. Classes have the smallest integer type that fits. Axes: N samples, K outputs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlx.run.arrays import read_arrays, write_arrays
from dlx.run.files import PREDICTIONS_LIMIT
from dlx.run.paths import PREDICTIONS

SAMPLES, OUTPUTS = 500_000, 2_000  # at most; a confusion matrix takes the square of the outputs
Array = NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """Validation outputs and the true labels."""

    last_outputs: NDArray[np.floating]  # [N, K]
    best_outputs: NDArray[np.floating]  # [N, K]
    labels: NDArray[Any]  # [N] integers; or numbers, [N] or [N, K]
    last_epoch: int
    best_epoch: int


def write_predictions(
    folder: Path,
    *,
    last: NDArray[np.floating],
    best: NDArray[np.floating],
    labels: NDArray[Any],
    last_epoch: int,
    best_epoch: int,
    exact: bool = False,
    rows: NDArray[np.integer] | None = None,
) -> None:
    """Write `folder`/predictions.npz atomically; `exact` keeps the outputs' type.

    `rows` [N]: where the samples are in the data's training part, counted from 0.
    """
    write_arrays(
        folder / PREDICTIONS,
        last_outputs=last if exact else _compact(last),
        best_outputs=best if exact else _compact(best),
        labels=labels if labels.dtype.kind == "f" else labels.astype(np.min_scalar_type(int(labels.max()))),
        last_epoch=last_epoch,
        best_epoch=best_epoch,
        **({} if rows is None else {"rows": rows.astype(np.int64)}),
    )


def read_rows(folder: Path) -> NDArray[np.integer] | None:
    """Return where the samples of `folder`/predictions.npz are in the data's training part, [N].

    None without the file. Raises ValueError, with the file's name, if it is damaged or was written by a dlx
    that did not record the rows.
    """
    arrays = read_arrays(folder / PREDICTIONS, ("rows", "labels"), PREDICTIONS_LIMIT)
    if arrays is None:
        return None
    rows_N, labels_N = arrays
    if rows_N.dtype.kind not in "iu" or rows_N.ndim != 1 or len(rows_N) != len(labels_N):
        raise ValueError(f"{folder / PREDICTIONS}: {rows_N.dtype} rows for {len(labels_N)} samples")
    return rows_N


def read_predictions(folder: Path) -> Predictions | None:
    """Read `folder`/predictions.npz; None if the run has none.

    Raises ValueError, with the file's name, if it is damaged or its arrays do not fit together.
    """
    path = folder / PREDICTIONS
    names = ("last_outputs", "best_outputs", "labels", "last_epoch", "best_epoch")
    arrays = read_arrays(path, names, PREDICTIONS_LIMIT)
    if arrays is None:
        return None
    last_NK, best_NK, labels_N, *epochs = arrays
    if any(epoch.shape or epoch.dtype.kind not in "iu" for epoch in epochs):
        raise ValueError(f"{path}: an epoch is not a number")
    _check(path, last_NK, best_NK, labels_N)
    labels = labels_N if labels_N.dtype.kind == "f" else labels_N.astype(np.int16)
    return Predictions(last_NK, best_NK, labels, *map(int, epochs))


def _check(path: Path, last_NK: Array, best_NK: Array, labels_N: Array) -> None:
    if last_NK.ndim != 2 or last_NK.shape != best_NK.shape or not last_NK.size:
        raise ValueError(f"{path}: outputs of shapes {last_NK.shape} and {best_NK.shape}")
    if last_NK.dtype.kind != "f" or best_NK.dtype.kind != "f":
        raise ValueError(f"{path}: outputs are {last_NK.dtype} and {best_NK.dtype}")
    for size, limit, what in zip(last_NK.shape, (SAMPLES, OUTPUTS), ("samples", "outputs"), strict=True):
        if size > limit:
            raise ValueError(f"{path}: {size:,} {what}, more than the limit of {limit:,}")
    if labels_N.dtype.kind == "f" and labels_N.reshape(len(labels_N), -1).shape == last_NK.shape:
        return
    if labels_N.shape != last_NK.shape[:1] or labels_N.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: {labels_N.dtype} labels of shape {labels_N.shape} for {len(last_NK)} samples"
        )
    if not 0 <= labels_N.min() <= labels_N.max() < max(2, last_NK.shape[1]):
        raise ValueError(f"{path}: labels from {labels_N.min()} to {labels_N.max()}")


def _compact(outputs: NDArray[np.floating]) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        short = outputs.astype(np.float16)
    same_class = (short.argmax(1) == outputs.argmax(1)).all()
    same_sign = ((short > 0) == (outputs > 0)).all() or outputs.shape[1] > 1
    finite = (np.isfinite(short) == np.isfinite(outputs)).all()
    return short if same_class and same_sign and finite else outputs.astype(np.float32)
