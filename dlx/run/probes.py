"""The files of a run's probes, which record layer outputs, gradients and more while a model trains.

A file exists only if its probe was on. Readers return None if there is no file, and raise ValueError, with
the file's name, if it is damaged.

Axes: E epochs, N samples, K outputs, M images, C channels, H height, W width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlx.run.arrays import read_arrays, write_arrays
from dlx.run.formats import read_table

if TYPE_CHECKING:
    import pandas as pd

LAYERS = "layers.csv"  # statistics of every layer's outputs, by epoch and phase (training, validation)
GRADIENTS = "gradients.csv"  # mean |gradient| over the epoch's steps, mean |weight| at its end
STEPS = "steps.csv"  # mean loss of each step's batch; steps count from 1
CLASSES = "classes.csv"  # validation accuracy of each class
LOGITS = "logits.npz"
IMAGES = "images.npz"
TABLES = {
    LAYERS: ("epoch", "phase", "layer", "module", "mean", "abs_mean", "std"),
    GRADIENTS: ("epoch", "parameter", "abs_gradient", "abs_weight"),
    STEPS: ("step", "loss"),
    CLASSES: ("epoch", "class", "samples", "accuracy"),
}
COUNTS = ("epoch", "step", "samples")
WORDS = ("phase", "layer", "module", "parameter", "class")
FILES = (*TABLES, LOGITS, IMAGES)


@dataclass(frozen=True)
class Logits:
    """The model's outputs on the training split, in evaluation mode, at the end of chosen epochs."""

    epochs: NDArray[np.integer]  # [E]
    outputs: NDArray[np.floating]  # [E, N, K]
    labels: NDArray[np.integer]  # [N]


@dataclass(frozen=True)
class Images:
    """Training images before and after augmentation, in the unit of the data set's files, mostly 0 to 255.

    Noise may leave that range. Undoing the standardisation rounds the last bits of float32.
    """

    before: NDArray[np.floating]  # [M, C, H, W]
    after: NDArray[np.floating]  # [M, C, H, W]
    labels: NDArray[np.integer]  # [M]


def read_layers(folder: Path) -> "pd.DataFrame | None":
    """Read layers.csv."""
    return _read(folder, LAYERS)


def read_gradients(folder: Path) -> "pd.DataFrame | None":
    """Read gradients.csv."""
    return _read(folder, GRADIENTS)


def read_steps(folder: Path) -> "pd.DataFrame | None":
    """Read steps.csv."""
    return _read(folder, STEPS)


def read_classes(folder: Path) -> "pd.DataFrame | None":
    """Read classes.csv."""
    return _read(folder, CLASSES)


def _read(folder: Path, name: str) -> "pd.DataFrame | None":
    try:
        return read_table(folder / name, TABLES[name], counts=COUNTS, words=WORDS)
    except FileNotFoundError:
        return None


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
    shape = before_MCHW.shape
    if len(shape) != 4 or shape != after_MCHW.shape or shape[:1] != labels_M.shape:
        raise ValueError(f"{folder / IMAGES}: shapes {shape}, {after_MCHW.shape}")
    return Images(before_MCHW, after_MCHW, labels_M)
