"""Images in memory and in a file that contestants load. Nothing of dlx is imported: peers do without it.

Axes: N samples, H and W pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


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
