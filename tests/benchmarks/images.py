"""The images that every contestant trains on: Fashion-MNIST, or synthetic ones of its shape.

Axes: N samples, H and W pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlx.config import DataSettings
from dlx.data.dataset import read
from dlx.data.split import split
from dlx.errors import RequestError
from tests.benchmarks.recipe import TRAIN_SAMPLES, VAL_SAMPLES

FILE, DIGITS = "images.npz", "digits.npz"
DIGITS_WHITE = 15  # 16 levels of grey, 0 to 16, become 0 to 240


@dataclass(frozen=True)
class Images:
    """Training and validation images, uint8 [N, H, W], and their labels, int64 [N]."""

    train_NHW: Tensor
    train_labels_N: Tensor
    val_NHW: Tensor
    val_labels_N: Tensor

    @property
    def side(self) -> int:
        """Pixels along a side of an image."""
        return self.train_NHW.shape[-1]

    def head(self, samples: int) -> "Images":
        """Return the first samples of either split."""
        parts = (self.train_NHW, self.train_labels_N, self.val_NHW, self.val_labels_N)
        return Images(*(part[:samples] for part in parts))


@dataclass(frozen=True)
class Prepared:
    """The images on disk, the words that make `dlx train` use the same ones, and whether they are real."""

    file: Path
    words: tuple[str, ...]
    real: bool

    @property
    def digits(self) -> Path:
        """scikit-learn's digits in a file of the same form, 1000 + 397 images of 8 x 8."""
        return self.file.with_name(DIGITS)


def prepare(root: str | None, folder: Path) -> Prepared:
    """Write into `folder` the split that dlx draws from the Fashion-MNIST below `root` (see data.root).

    Where it is not there and cannot be downloaded, the images are synthetic. Write the digits beside it.
    """
    _write_digits(folder / DIGITS)
    settings = DataSettings(
        name="fashion_mnist",
        root=root,
        train_size=TRAIN_SAMPLES,
        val_size=VAL_SAMPLES,
        test_size=None,
        split_seed=0,
        stratify=False,
        standardise="unit",
    )
    try:
        source = read(settings)
    except RequestError:
        write(synthetic(TRAIN_SAMPLES, VAL_SAMPLES), folder / FILE)
        words = ("data=npz", f"data.root={folder}", f"data.path={FILE}", "data.standardise=unit")
        return Prepared(folder / FILE, words, real=False)
    train, val, _ = split(
        source, train_size=TRAIN_SAMPLES, val_size=VAL_SAMPLES, test_size=None, seed=0, stratify=False
    )
    pixels = [arrays.inputs.squeeze(1) for arrays in (train, val)]
    write(Images(pixels[0], train.labels, pixels[1], val.labels), folder / FILE)
    where = () if root is None else (f"data.root={Path(root).absolute()}",)
    return Prepared(folder / FILE, ("data=fashion_mnist", *where), real=True)


def _write_digits(file: Path) -> None:
    settings = DataSettings(
        name="digits",
        root=None,
        train_size=TRAIN_SAMPLES,
        val_size=397,
        test_size=None,
        split_seed=0,
        stratify=False,
        standardise="unit",
    )
    train, val, _ = split(
        read(settings), train_size=TRAIN_SAMPLES, val_size=397, test_size=None, seed=0, stratify=False
    )
    train_NHW, val_NHW = (arrays.inputs.squeeze(1) * DIGITS_WHITE for arrays in (train, val))
    write(Images(train_NHW, train.labels, val_NHW, val.labels), file)


def synthetic(train: int, val: int) -> Images:
    """Return so many images of ten classes, each a pattern of 16 squares under noise of the same strength."""
    draws = np.random.default_rng(0)
    patterns_KHW = 127 * draws.integers(0, 2, (10, 4, 4)).repeat(7, axis=1).repeat(7, axis=2)
    labels_N = draws.integers(0, 10, train + val)
    pixels = patterns_KHW[labels_N] + draws.integers(0, 128, (train + val, 28, 28))
    images_NHW = torch.from_numpy(pixels.astype(np.uint8))
    labels = torch.from_numpy(labels_N)
    return Images(images_NHW[:train], labels[:train], images_NHW[train:], labels[train:])


def write(images: Images, file: Path) -> None:
    """Write images in the form that `data=npz` reads."""
    np.savez(
        file,
        train_inputs=images.train_NHW.numpy(),
        train_labels=images.train_labels_N.numpy(),
        val_inputs=images.val_NHW.numpy(),
        val_labels=images.val_labels_N.numpy(),
    )


def load(file: Path) -> Images:
    """Read what `write` wrote."""
    names = ("train_inputs", "train_labels", "val_inputs", "val_labels")
    with np.load(file) as arrays:
        return Images(*(torch.from_numpy(arrays[name]) for name in names))
