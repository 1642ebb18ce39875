"""The user's own arrays in an .npz file or in .npy files, checked before anything is trained on them.

Axes: N samples, F features, C channels, H height, W width, K classes, D numbers of a sample.
"""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dlx.data.array_names import REMEDY, Pairs, array_files, find_pairs
from dlx.data.labels import Labels, Task, read_labels
from dlx.data.on_disk import ArrayFile, OnDisk, Samples
from dlx.data.source import Arrays, Source, below, sources, wrong_file
from dlx.data.storage import Storage, fits_in_memory
from dlx.device import check_memory
from dlx.errors import RequestError

Array = NDArray[Any]
Loaded = Mapping[str, Array | OnDisk]
COPIES = 3  # of the arrays, for a moment: as stored, as split, as standardised
CHANNELS = (1, 2, 3, 4)


@sources.register("npz")
def npz(
    root: Path,
    *,
    path: str | None = None,
    inputs: str | None = None,
    labels: str | None = None,
    task: Task = "auto",
    storage: Storage = "auto",
) -> Source:
    """Read inputs [N, F], [N, H, W], [N, C, H, W] or [N, H, W, C], and labels, from root / path.

    `path` is an .npz file, a folder of .npy files, or the .npy file of the inputs, whose labels are beside
    it. Arrays have dlx's names (`inputs`, `labels`, `train_inputs`, `val_labels`, ...) or other usual ones,
    or are named by `inputs` and `labels`. `classes` [K] names the classes. uint8 stays (its white is 255),
    other integers become float64. `task`: see `read_labels`. `storage`: where inputs are during training;
    `auto`: on disk if they can be (uint8, not compressed) and are large for the memory. Raises RequestError
    for anything else. Pickled objects are never loaded.
    """
    if path is None:
        raise RequestError(f"data.path: give a file below data.root={root}, for example data.path=mine.npz")
    file = below(root, path)
    if files := array_files(file, labels):
        pairs, arrays = _read_npy(file, files, inputs, labels)
    else:
        pairs, arrays = _read_npz(file, inputs, labels, storage)
    read = _read_labels(file, pairs, arrays, task)
    parts = {part: _part(file, pair, arrays, read) for part, pair in pairs.parts.items()}
    for part, pair in pairs.parts.items():
        _check_alike(file, pair[0], parts[part], parts["train"])
    notes = [pairs.note, *_notes_on_images(pairs, arrays), *read.notes]
    return Source(
        read.classes,
        parts["train"],
        parts.get("val"),
        parts.get("test"),
        white=255.0 if parts["train"].inputs.dtype == torch.uint8 else None,
        notes=tuple(f"data.path: {file.name}: {note}" for note in notes if note),
    )


def _read_npy(
    file: Path, files: Mapping[str, Path], inputs: str | None, labels: str | None
) -> tuple[Pairs, Loaded]:
    if not file.is_dir():
        inputs, *others = files
        labels = labels or next(iter(others), None)
        if not others:
            raise wrong_file(
                file,
                "is a single array, and its labels are not beside it; name their file with "
                "data.labels=NAME.npy, or write both with numpy.savez(file, inputs=..., labels=...)",
            )
    pairs = find_pairs(file, files, inputs, labels and labels.removesuffix(".npy"))
    sizes = [files[name].stat().st_size for name in pairs.names]
    check_memory(f"data.path: {file}, in memory, needs", COPIES * sum(sizes))
    arrays: dict[str, Array | OnDisk] = {}
    for name in pairs.names:
        try:
            arrays[name] = np.load(files[name], allow_pickle=False)
        except Exception as error:  # damage makes numpy raise many kinds
            raise _unreadable(files[name], error) from error
    return pairs, arrays


def _read_npz(file: Path, inputs: str | None, labels: str | None, storage: Storage) -> tuple[Pairs, Loaded]:
    if file.is_dir():
        raise wrong_file(file, "is a folder without .npy files; give an .npz file, or use data=image_folder")
    if not file.is_file():
        raise wrong_file(file, "is not a file")
    with file.open("rb") as start:
        first = start.read(2)
    if first == b"\x93N":
        raise wrong_file(file, "is a single array; write it with numpy.savez(file, inputs=..., labels=...)")
    if first != b"PK":  # NumPy would take it for a pickle
        raise wrong_file(file, "is not an .npz file; write it with numpy.savez")
    try:
        with file.open("rb") as opened:  # opened here, because numpy does not close a damaged file
            sizes = _sizes(opened)
            pairs = find_pairs(file, sizes, inputs, labels)
            on_disk = _open_inputs(file, pairs.inputs, sum(sizes[name] for name in pairs.names), storage)
            loaded = sum(sizes[name] for name in pairs.names if name not in on_disk)
            check_memory(f"data.path: {file}, unpacked, needs", COPIES * loaded)
            opened.seek(0)
            stored = np.load(opened, allow_pickle=False)
            return pairs, {name: on_disk[name] if name in on_disk else stored[name] for name in pairs.names}
    except RequestError:
        raise
    except Exception as error:  # damage makes numpy, zipfile and their decompressors raise many kinds
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> RequestError:
    reason = " ".join(str(error).split()) or type(error).__name__
    objects = (
        "; store texts with astype(str), numbers with astype(float)" if "Object arrays" in reason else ""
    )
    return wrong_file(file, f"cannot be read as arrays without pickled objects: {reason}{objects}")


def _sizes(opened: IO[bytes]) -> dict[str, int]:
    """Return the bytes of each array, unpacked, by its name."""
    with zipfile.ZipFile(opened) as archive:
        return {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}


def _open_inputs(file: Path, inputs: Sequence[str], size: int, storage: Storage) -> dict[str, OnDisk]:
    """Return the inputs that stay on disk by their names; none if they are to be in memory."""
    if storage == "memory" or (storage == "auto" and fits_in_memory(size)):
        return {}
    try:
        return {name: OnDisk(ArrayFile(file, name)) for name in inputs}
    except ValueError as error:
        if storage == "disk":
            raise wrong_file(file, f"cannot stay on disk (data.storage=disk): {error}") from error
        return {}


def _read_labels(file: Path, pairs: Pairs, arrays: Loaded, task: Task) -> Labels:
    given: dict[str, Array] = {}
    for inputs, labels in pairs.parts.values():
        array, samples = arrays[labels], arrays[inputs].shape
        assert not isinstance(array, OnDisk), "only inputs stay on disk"
        if not samples or array.shape[:1] != samples[:1] or samples[0] == 0:
            raise wrong_file(
                file,
                f"{inputs} has shape {samples} and {labels} {array.shape}; expected [N, ...] and [N]; if "
                f"these are not inputs and labels, {REMEDY}",
            )
        given[labels] = array
    try:
        return read_labels(given, task, _class_names(file, arrays.get(pairs.classes or "")))
    except ValueError as error:
        raise wrong_file(file, str(error)) from error


def _class_names(file: Path, given: Array | OnDisk | None) -> tuple[str, ...]:
    if not isinstance(given, np.ndarray):
        return ()
    names = tuple(
        name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        for name in given.ravel().tolist()
    )
    if not names:
        raise wrong_file(file, "classes is empty")
    if len(set(names)) != len(names):
        raise wrong_file(file, f"classes contains a name twice: {', '.join(names)}")
    return names


def _part(file: Path, pair: tuple[str, str], arrays: Loaded, read: Labels) -> Arrays:
    inputs, labels = pair
    return Arrays(to_samples(file, inputs, arrays[inputs]), torch.from_numpy(read.arrays[labels]))


def to_samples(file: Path, name: str, inputs: Array | OnDisk) -> Samples:
    """Return inputs as [N, F] or [N, C, H, W]. Raises RequestError for other shapes and kinds of values."""
    shape = inputs.shape
    if not isinstance(inputs, OnDisk) and inputs.dtype.kind not in "fiub":
        raise wrong_file(file, f"{name} are {inputs.dtype}; expected numbers")
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise wrong_file(
            file,
            f"{name} has shape {shape}; expected [N, F], [N, C, H, W], [N, H, W, C] or grey images [N, H, W]",
        )
    if isinstance(inputs, OnDisk):
        if _channels_last(shape):
            return inputs.channels_first()
        return inputs.unsqueeze(1) if len(shape) == 3 else inputs
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        first = np.argwhere(~np.isfinite(inputs))[0].tolist()
        raise wrong_file(
            file,
            f"{name} is not finite at {first}: {inputs[tuple(first)]}; fill it in, or leave such samples out",
        )
    if _channels_last(shape):
        inputs = inputs.transpose(0, 3, 1, 2)
    keep = {"uint8": np.uint8, "bool": np.float32, "float16": np.float32, "float32": np.float32}
    converted = np.ascontiguousarray(inputs, dtype=keep.get(inputs.dtype.newbyteorder("=").name, np.float64))
    return torch.from_numpy(converted[:, None] if len(shape) == 3 else converted)


def _channels_last(shape: Sequence[int]) -> bool:
    """Say whether images are [N, H, W, C]; where both ends could be channels, they are [N, C, H, W]."""
    return len(shape) == 4 and shape[3] in CHANNELS and shape[1] not in CHANNELS


def _notes_on_images(pairs: Pairs, arrays: Loaded) -> list[str]:
    name = pairs.inputs[0]
    shape = arrays[name].shape
    size = "x".join(map(str, shape[1:3]))
    return (
        [f"{name} of shape {shape} were read as {size} images, channels last"]
        if _channels_last(shape)
        else []
    )


def _check_alike(file: Path, name: str, part: Arrays, train: Arrays) -> None:
    if part.inputs.shape[1:] != train.inputs.shape[1:] or part.inputs.dtype != train.inputs.dtype:
        raise wrong_file(
            file,
            f"{name} are {part.inputs.dtype} of shape {tuple(part.inputs.shape[1:])} per sample, but the "
            f"training inputs are {train.inputs.dtype} of shape {tuple(train.inputs.shape[1:])}",
        )
