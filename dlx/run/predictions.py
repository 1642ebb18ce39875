"""predictions.npz: the validation outputs of the last and the best epoch, and the labels.

`last_outputs` and `best_outputs` [N, K], `labels` [N], `last_epoch`, `best_epoch`. Outputs are float16
where no prediction changes by it, else float32, and as they are where they are no predictions of a class;
labels the smallest integer that fits.
"""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlx.run.paths import PREDICTIONS, write_atomically


def write_predictions(
    folder: Path,
    *,
    last: NDArray[np.floating],
    best: NDArray[np.floating],
    labels: NDArray[np.integer],
    last_epoch: int,
    best_epoch: int,
    exact: bool = False,
) -> None:
    """Write `folder`/predictions.npz, atomically; `exact` keeps the outputs' type."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        last_outputs=last if exact else _compact(last),
        best_outputs=best if exact else _compact(best),
        labels=labels.astype(np.min_scalar_type(int(labels.max()))),
        last_epoch=last_epoch,
        best_epoch=best_epoch,
    )
    write_atomically(folder / PREDICTIONS, buffer.getvalue())


def _compact(outputs: NDArray[np.floating]) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        short = outputs.astype(np.float16)
    same_class = (short.argmax(1) == outputs.argmax(1)).all()
    same_sign = ((short > 0) == (outputs > 0)).all() or outputs.shape[1] > 1
    finite = (np.isfinite(short) == np.isfinite(outputs)).all()
    return short if same_class and same_sign and finite else outputs.astype(np.float32)
