"""The files of a run's probes, both ways: what was seen inside the net while it trained.

Each file is there only if its probe was on. Axes: E epochs, N samples, K outputs, M images, C channels,
H height, W width.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlx.run.paths import write_atomically
from dlx.run.table import read_table

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
    """Training images before and after augmentation, in the unit of the data set's files, 0 to 255 for most.

    Noise leads beyond that range; standardising and undoing it costs the last bits of float32.
    """

    before: NDArray[np.floating]  # [M, C, H, W]
    after: NDArray[np.floating]  # [M, C, H, W]
    labels: NDArray[np.integer]  # [M]


def read_layers(folder: Path) -> "pd.DataFrame | None":
    """Read layers.csv, columns as LAYER_COLUMNS; None if the run has none. Raises ValueError if damaged."""
    return _table(folder / LAYERS, LAYER_COLUMNS, ("epoch",), ("phase", "layer", "module"))


def read_gradients(folder: Path) -> "pd.DataFrame | None":
    """Read gradients.csv, columns as GRADIENT_COLUMNS; None if the run has none. Raises ValueError."""
    return _table(folder / GRADIENTS, GRADIENT_COLUMNS, ("epoch",), ("parameter",))


def read_steps(folder: Path) -> "pd.DataFrame | None":
    """Read steps.csv, columns as STEP_COLUMNS; None if the run has none. Raises ValueError if damaged."""
    return _table(folder / STEPS, STEP_COLUMNS, ("step",))


def read_classes(folder: Path) -> "pd.DataFrame | None":
    """Read classes.csv, columns as CLASS_COLUMNS; None if the run has none. Raises ValueError if damaged."""
    return _table(folder / CLASSES, CLASS_COLUMNS, ("epoch", "samples"), ("class",))


def write_logits(folder: Path, logits: Logits) -> None:
    """Write logits.npz, atomically; float16 where no value overflows it, else float32."""
    with np.errstate(over="ignore"):
        short = logits.outputs.astype(np.float16)
    fits = (np.isfinite(short) == np.isfinite(logits.outputs)).all()
    outputs = short if fits else logits.outputs.astype(np.float32)
    _write(folder / LOGITS, epochs=logits.epochs, outputs=outputs, labels=logits.labels)


def read_logits(folder: Path) -> Logits | None:
    """Read logits.npz; None if the run has none. Raises ValueError if it is damaged."""
    arrays = _read(folder / LOGITS, ("epochs", "outputs", "labels"))
    return Logits(*arrays) if arrays else None


def write_images(folder: Path, images: Images) -> None:
    """Write images.npz, atomically."""
    _write(folder / IMAGES, before=images.before, after=images.after, labels=images.labels)


def read_images(folder: Path) -> Images | None:
    """Read images.npz; None if the run has none. Raises ValueError if it is damaged."""
    arrays = _read(folder / IMAGES, ("before", "after", "labels"))
    return Images(*arrays) if arrays else None


def _table(
    path: Path, columns: Sequence[str], counts: Sequence[str], words: Sequence[str] = ()
) -> "pd.DataFrame | None":
    return read_table(path, columns, counts=counts, words=words) if path.is_file() else None


def _write(path: Path, **arrays: NDArray[np.generic]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())


def _read(path: Path, names: Sequence[str]) -> list[NDArray[Any]] | None:
    from zipfile import BadZipFile

    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return [file[name] for name in names]
    except (KeyError, BadZipFile, EOFError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
