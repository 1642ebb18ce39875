"""Data sources: the registry, the `Source` that each returns, and the folders of data sets and caches.

It does not import torch, because planning a sweep needs only the folders.
Axes: N samples, C channels, H height, W width, F features. Images are [N, C, H, W], flat data [N, F].
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.errors import RequestError, nearest
from dlx.registry import Registry
from dlx.run.paths import cache_root, typed_path

if TYPE_CHECKING:
    from torch import Tensor

    from dlx.data.on_disk import Samples


@dataclass(frozen=True)
class Arrays:
    """The samples of a split.

    Attributes:
        inputs: [N, C, H, W] or [N, F], uint8 or floating, or uint8 on disk
        labels: [N] int64 for classes; floats for numbers, [N] or [N, D], or for yes-or-no labels, [N, K] of 0
            and 1
    """

    inputs: "Samples"
    labels: "Tensor"

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, index: "Tensor") -> "Arrays":
        """Return the samples at these indices: a copy of those in memory."""
        return Arrays(self.inputs.index_select(0, index), self.labels.index_select(0, index))


@dataclass(frozen=True)
class Source:
    """A data set as it was read.

    Attributes:
        classes: the names of the classes, or of yes-or-no labels; empty for numbers
        train: the training set
        validation: the validation set; None: it is drawn from `train`
        test: the test set; None: it may be drawn from `train`
        white: the largest value a pixel can take, such as 255; None if unknown
        notes: what was understood otherwise than it is stored, a sentence each
    """

    classes: tuple[str, ...]
    train: Arrays
    validation: Arrays | None = None
    test: Arrays | None = None
    white: float | None = None
    notes: tuple[str, ...] = ()


# A builder takes `root: Path` and its own keys of the YAML.
sources: Registry[Source] = Registry("data", "dlx.data", "dlx.surface.descent")


def data_root(root: str | None, *, own: bool = False) -> Path:
    """Return `data.root`; without it, where one stands for files of one's `own`, which have a data.path.

    Published data sets are kept in the environment's DLX_DATA, else in the user's cache.
    """
    if root:
        return typed_path(root, "data.root").absolute()
    if own:
        return Path.cwd()
    given = os.environ.get("DLX_DATA")
    return typed_path(given, "DLX_DATA").absolute() if given else cache_root() / "data"


def below(root: Path, path: str) -> Path:
    """Return `data.path` below the root, or itself if absolute. Raises RequestError if nothing is there."""
    try:
        found = root / typed_path(path, "data.path")
        there = found.exists()
    except OSError as error:  # a name of 300 characters, a loop of links
        raise RequestError(f"data.path={path}: {error.strerror}, below data.root={root}") from error
    if not there:
        raise RequestError(
            f"data.path={path}: there is no {found}{_meant(found)}; data.path is relative to data.root, by "
            f"default the current folder{_in_shared_folder(path)}"
        )
    return found


def _meant(path: Path) -> str:
    """Name what was probably meant: a name that is near in the same folder, or the path with slashes."""
    if "\\" in path.name:
        return "; write / between folders, not \\"
    try:
        return nearest(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:  # the folder is not there either
        return ""


def _in_shared_folder(path: str) -> str:
    """Say that DLX_DATA holds what was looked for: files of one's own were once looked for there."""
    given = os.environ.get("DLX_DATA")
    there = given and (typed_path(given, "DLX_DATA") / path).exists()
    return f"; DLX_DATA holds one: add data.root={given}" if there else ""


def wrong_file(file: Path, what: str) -> RequestError:
    """Return the error for a file of the user's, as one line."""
    return RequestError(f"data.path: {file} {' '.join(what.split())}")
