"""The user's own arrays in one .npz file, checked before anything is trained on them.

Axes: N samples, F features, C channels, H height, W width, K classes.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dlx.data.on_disk import ArrayFile, OnDisk, Samples
from dlx.data.source import Arrays, Source, below, sources
from dlx.data.storage import Storage, fits_in_memory
from dlx.device import check_memory
from dlx.errors import RequestError

Array = NDArray[Any]
COPIES = 3  # of the arrays, for a moment: as stored, as split, as standardised
INPUTS = ("inputs", "train_inputs", "val_inputs", "test_inputs")


@sources.register("npz")
def npz(root: Path, *, path: str | None = None, storage: Storage = "auto") -> Source:
    """Read `inputs` [N, F] or [N, C, H, W] and `labels` [N], integers 0 to K-1, from root / path.

    The names may also be `train_inputs` and `train_labels`. Pairs that begin with `val_` and `test_` become
    sets of their own, and `classes` [K] names the classes. [N, H, W] is read as grey images. uint8 stays (its
    white is 255), other integers become float64. `storage`: where inputs are during training; `auto`: on disk
    if they can be (uint8, not compressed) and are large for the memory. Raises RequestError for anything
    else. Pickled objects are never loaded.
    """
    if path is None:
        raise RequestError(f"data.path: give a file below data.root={root}, for example data.path=mine.npz")
    file = below(root, path)
    if not file.is_file():
        raise _wrong(file, "is not a file")
    arrays = _load(file, storage)
    prefix = "train_" if "train_inputs" in arrays else ""
    if prefix and "inputs" in arrays:
        raise _wrong(file, "has both inputs and train_inputs; keep the one to train on")
    train = _pair(file, arrays, prefix)
    validation, test = (
        _pair(file, arrays, part) if f"{part}inputs" in arrays or f"{part}labels" in arrays else None
        for part in ("val_", "test_")
    )
    classes = _classes(file, arrays, train)
    for part, pair in (("", train), ("val_", validation), ("test_", test)):
        if pair is not None:
            _check_pair(file, part or prefix, pair, train, len(classes))
    return Source(
        classes, train, validation, test, white=255.0 if train.inputs.dtype == torch.uint8 else None
    )


def _load(file: Path, storage: Storage) -> dict[str, Array | OnDisk]:
    with file.open("rb") as start:
        if start.read(2) not in (b"PK", b"\x93N"):  # NumPy would take it for a pickle
            raise _wrong(file, "is not an .npz file; write it with numpy.savez")
    try:
        with file.open("rb") as opened:  # opened here, because numpy does not close a damaged file
            sizes = _sizes(opened) if zipfile.is_zipfile(opened) else {}
            on_disk = _open_inputs(file, sizes, storage)
            loaded = sum(size for name, size in sizes.items() if name not in on_disk)
            check_memory(f"data.path: {file}, unpacked, needs", COPIES * loaded)
            opened.seek(0)
            stored = np.load(opened, allow_pickle=False)
            if isinstance(stored, Mapping):
                return {name: on_disk[name] if name in on_disk else stored[name] for name in stored}
    except RequestError:
        raise
    except Exception as error:  # damage makes numpy, zipfile and their decompressors raise many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _wrong(file, f"cannot be read as arrays without pickled objects: {reason}") from error
    raise _wrong(file, "is a single array; write it with numpy.savez(file, inputs=..., labels=...)")


def _sizes(opened: IO[bytes]) -> dict[str, int]:
    """Return the bytes of each array, unpacked, by its name."""
    with zipfile.ZipFile(opened) as archive:
        return {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}


def _open_inputs(file: Path, sizes: Mapping[str, int], storage: Storage) -> dict[str, OnDisk]:
    """Return the inputs that stay on disk by their names; none if they are to be in memory."""
    if storage == "memory" or (storage == "auto" and fits_in_memory(sum(sizes.values()))):
        return {}
    try:
        return {name: OnDisk(ArrayFile(file, name)) for name in INPUTS if name in sizes}
    except ValueError as error:
        if storage == "disk":
            raise _wrong(file, f"cannot stay on disk (data.storage=disk): {error}") from error
        return {}


def _pair(file: Path, arrays: Mapping[str, Array | OnDisk], prefix: str) -> Arrays:
    names = (f"{prefix}inputs", f"{prefix}labels")
    missing = [name for name in names if name not in arrays]
    if missing:
        held = ", ".join(sorted(arrays)) or "no arrays"
        raise _wrong(file, f"has no array {missing[0]}; it needs {names[0]} and {names[1]} (it has {held})")
    inputs, labels = arrays[names[0]], arrays[names[1]]
    assert not isinstance(labels, OnDisk), "only inputs stay on disk"
    if len(inputs.shape) == 0 or labels.shape != inputs.shape[:1] or len(labels) == 0:
        raise _wrong(
            file,
            f"{names[0]} has shape {inputs.shape} and {names[1]} {labels.shape}; expected [N, ...] and [N]",
        )
    if labels.dtype.kind not in "iub":
        raise _wrong(file, f"{names[1]} are {labels.dtype}; expected integers from 0 to K-1")
    return Arrays(_to_samples(file, names[0], inputs), torch.from_numpy(labels.astype(np.int64)))


def _to_samples(file: Path, name: str, inputs: Array | OnDisk) -> Samples:
    shape = inputs.shape
    if not isinstance(inputs, OnDisk) and inputs.dtype.kind not in "fiub":
        raise _wrong(file, f"{name} are {inputs.dtype}; expected numbers")
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise _wrong(
            file, f"{name} has shape {shape}; expected [N, F], [N, C, H, W] or grey images [N, H, W]"
        )
    if len(shape) == 4 and shape[3] in (1, 3, 4) and shape[1] > 4:
        raise _wrong(
            file, f"{name} has shape {shape}, channels last; store it as inputs.transpose(0, 3, 1, 2)"
        )
    if isinstance(inputs, OnDisk):
        return inputs.unsqueeze(1) if len(shape) == 3 else inputs
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        first = np.argwhere(~np.isfinite(inputs))[0].tolist()
        raise _wrong(file, f"{name} is not finite at {first}: {inputs[tuple(first)]}")
    keep = {"uint8": np.uint8, "bool": np.float32, "float16": np.float32, "float32": np.float32}
    converted = np.ascontiguousarray(inputs, dtype=keep.get(inputs.dtype.newbyteorder("=").name, np.float64))
    return torch.from_numpy(converted[:, None] if len(shape) == 3 else converted)


def _classes(file: Path, arrays: Mapping[str, Array | OnDisk], train: Arrays) -> tuple[str, ...]:
    if isinstance(given := arrays.get("classes"), np.ndarray):
        names = tuple(
            name.decode(errors="replace") if isinstance(name, bytes) else str(name)
            for name in given.ravel().tolist()
        )
        if not names:
            raise _wrong(file, "classes is empty")
        if len(set(names)) != len(names):
            raise _wrong(file, f"classes contains a name twice: {', '.join(names)}")
        return names
    present = torch.unique(train.labels).tolist()  # sorted
    for expected, label in enumerate(present):
        if label != expected:
            raise _wrong(
                file,
                f"has training labels from {present[0]} to {present[-1]}, but none is {expected}; number the "
                "classes 0 to K-1, or name all of them in an array called classes",
            )
    return tuple(str(label) for label in present)


def _check_pair(file: Path, prefix: str, pair: Arrays, train: Arrays, classes: int) -> None:
    low, high = int(pair.labels.min()), int(pair.labels.max())
    if low < 0 or high >= classes:
        raise _wrong(
            file,
            f"{prefix}labels range from {low} to {high}, but there are {classes} classes, 0 to {classes - 1}",
        )
    if pair.inputs.shape[1:] != train.inputs.shape[1:] or pair.inputs.dtype != train.inputs.dtype:
        raise _wrong(
            file,
            f"{prefix}inputs are {pair.inputs.dtype} of shape {tuple(pair.inputs.shape[1:])} per sample, but "
            f"the training inputs are {train.inputs.dtype} of shape {tuple(train.inputs.shape[1:])}",
        )


def _wrong(file: Path, what: str) -> RequestError:
    return RequestError(f"data.path: {file} {' '.join(what.split())}")
