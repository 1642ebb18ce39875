"""The files of a run's probes: what was recorded of the model's inside while it trained.

A file exists only if its probe was on; readers return None if it does not, and raise ValueError, with the
file's name, if it is damaged.

Axes: E epochs, N samples, K outputs, M images, C channels, H height, W width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlx.run.formats import read_arrays, read_table, write_arrays

if TYPE_CHECKING:
    import pandas as pd

LAYERS = "layers.csv"  # statistics of every layer's outputs, by epoch and phase (training, validation)
LAYER_COLUMNS = ("epoch", "phase", "layer", "module", "mean", "abs_mean", "std")
GRADIENTS = "gradients.csv"  # mean |gradient| over the epoch's steps, mean |weight| at its end
GRADIENT_COLUMNS = ("epoch", "parameter", "abs_gradient", "abs_weight")
STEPS = "steps.csv"  # mean loss of each step's batch; steps count from 1
STEP_COLUMNS = ("step", "loss")
CLASSES = "classes.csv"  # validation accuracy of each class
CLASS_COLUMNS = ("epoch", "class", "samples", "accuracy")
LOGITS = "logits.npz"
IMAGES = "images.npz"
TABLES = {LAYERS: LAYER_COLUMNS, GRADIENTS: GRADIENT_COLUMNS, STEPS: STEP_COLUMNS, CLASSES: CLASS_COLUMNS}
FILES = (*TABLES, LOGITS, IMAGES)


@dataclass(frozen=True)
class Logits:
    """The model's outputs on the training split, in evaluation mode, at the end of chosen epochs."""

    epochs: NDArray[np.integer]  # [E]
    outputs: NDArray[np.floating]  # [E, N, K]
    labels: NDArray[np.integer]  # [N]


@dataclass(frozen=True)
class Images:
    """Training images before and after augmentation, in the units of the data set's files (mostly 0 to 255).

    Noise may exceed that range. Undoing the standardisation costs the last bits of float32.
    """

    before: NDArray[np.floating]  # [M, C, H, W]
    after: NDArray[np.floating]  # [M, C, H, W]
    labels: NDArray[np.integer]  # [M]


def read_layers(folder: Path) -> "pd.DataFrame | None":
    """Read layers.csv; its columns are LAYER_COLUMNS."""
    return _table(folder / LAYERS, LAYER_COLUMNS, ("epoch",), ("phase", "layer", "module"))


def read_gradients(folder: Path) -> "pd.DataFrame | None":
    """Read gradients.csv; its columns are GRADIENT_COLUMNS."""
    return _table(folder / GRADIENTS, GRADIENT_COLUMNS, ("epoch",), ("parameter",))


def read_steps(folder: Path) -> "pd.DataFrame | None":
    """Read steps.csv; its columns are STEP_COLUMNS."""
    return _table(folder / STEPS, STEP_COLUMNS, ("step",))


def read_classes(folder: Path) -> "pd.DataFrame | None":
    """Read classes.csv; its columns are CLASS_COLUMNS."""
    return _table(folder / CLASSES, CLASS_COLUMNS, ("epoch", "samples"), ("class",))


def write_logits(folder: Path, logits: Logits) -> None:
    """Write logits.npz atomically, in float16 unless a value overflows it, else in float32."""
    with np.errstate(over="ignore"):
        short = logits.outputs.astype(np.float16)
    fits = (np.isfinite(short) == np.isfinite(logits.outputs)).all()
    outputs = short if fits else logits.outputs.astype(np.float32)
    write_arrays(folder / LOGITS, epochs=logits.epochs, outputs=outputs, labels=logits.labels)


def read_logits(folder: Path) -> Logits | None:
    """Read logits.npz."""
    arrays = read_arrays(folder / LOGITS, ("epochs", "outputs", "labels"))
    if arrays is None:
        return None
    epochs_E, outputs_ENK, labels_N = arrays
    if outputs_ENK.ndim != 3 or outputs_ENK.shape[:2] != (*epochs_E.shape, *labels_N.shape):
        raise ValueError(f"{folder / LOGITS}: outputs of shape {outputs_ENK.shape}, labels {labels_N.shape}")
    return Logits(epochs_E, outputs_ENK, labels_N)


def write_images(folder: Path, images: Images) -> None:
    """Write images.npz atomically."""
    write_arrays(folder / IMAGES, before=images.before, after=images.after, labels=images.labels)


def read_images(folder: Path) -> Images | None:
    """Read images.npz."""
    arrays = read_arrays(folder / IMAGES, ("before", "after", "labels"))
    if arrays is None:
        return None
    before_MCHW, after_MCHW, labels_M = arrays
    if (
        before_MCHW.ndim != 4
        or before_MCHW.shape != after_MCHW.shape
        or before_MCHW.shape[:1] != labels_M.shape
    ):
        raise ValueError(f"{folder / IMAGES}: shapes {before_MCHW.shape}, {after_MCHW.shape}")
    return Images(before_MCHW, after_MCHW, labels_M)


def _table(
    path: Path, columns: Sequence[str], counts: Sequence[str], words: Sequence[str] = ()
) -> "pd.DataFrame | None":
    return read_table(path, columns, counts=counts, words=words) if path.is_file() else None
