"""The user's own data: `data=custom data.target=package.module:Name`. This runs the user's code.

Axes: N samples, F features, C channels, H height, W width, K classes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from dlx.config import DataSettings
from dlx.data.labels import Labels, read_labels
from dlx.data.source import Arrays, Source, sources
from dlx.own.target import Target, load_target, seeded

OWN_KEYS = (*DataSettings.model_fields, "target")  # of the group data
PARTS = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}  # by how many there are
RETURNS = (
    "return (X, y), (X, y, X_test, y_test), a dict with inputs and labels, or a torch Dataset, or a tuple of "
    "two or three such pairs or Datasets"
)
Array = NDArray[Any]
Pair = tuple[Array, Array]  # inputs [N, ...] and labels [N] or [N, K]


@sources.register("custom")
def custom(root: Path, *, target: str, **arguments: Any) -> Source:
    """Import `target`, call it with the other keys, and return its arrays or Datasets as a source.

    It is given `root`, data.root, if it asks for that. Its draws from the global generators of torch, NumPy
    and Python are the same each time. Inputs are [N, F], [N, C, H, W], [N, H, W, C] or [N, H, W]; labels are
    what data=npz takes. Raises RequestError for all that the user can put right.
    """
    own = load_target("data", target)
    given = {"root": root} if "root" in own.parameters else {}
    checked = own.check(arguments, given, OWN_KEYS)
    with seeded(0):
        returned = own.call(**checked)
        if isinstance(returned, Source):
            return returned
        with own.in_one_line("what it returned cannot be read"):
            parts = _parts(own, returned)
    labels = _labels(own, returned, {part: y for part, (_, y) in parts.items()})
    read = {
        part: Arrays(_inputs(own, part, x), torch.from_numpy(labels.arrays[_named(part)]))
        for part, (x, _) in parts.items()
    }
    for part, arrays in read.items():
        shapes = [tuple(each.inputs.shape[1:]) for each in (arrays, read["train"])]
        if shapes[0] != shapes[1] or arrays.inputs.dtype != read["train"].inputs.dtype:
            own.refuse(f"its {part} samples have shape {shapes[0]}, and its training samples {shapes[1]}")
    white = 255.0 if read["train"].inputs.dtype == torch.uint8 else None
    return Source(
        labels.classes, read["train"], read.get("val"), read.get("test"), white, notes=tuple(labels.notes)
    )


def _labels(own: Target, returned: Any, given: Mapping[str, Array]) -> Labels:
    """Read the labels of each part: as classes, or as numbers to predict."""
    classes = returned.get("classes") if isinstance(returned, Mapping) else None
    names = tuple(map(str, classes)) if isinstance(classes, Sequence) else ()
    try:
        return read_labels({_named(part): labels for part, labels in given.items()}, names=names)
    except ValueError as error:
        own.refuse(str(error))


def _named(part: str) -> str:
    """Return what a sentence calls the labels of a part."""
    return "its labels" if part == "train" else f"its {part} labels"


def _parts(own: Target, returned: Any) -> dict[str, Pair]:
    """Return inputs and labels of each part that there is."""
    if isinstance(returned, Mapping):
        prefix = "train_" if "train_inputs" in returned else ""
        names = {"train": prefix, "val": "val_", "test": "test_"}
        found = {part: name for part, name in names.items() if f"{name}inputs" in returned}
        if "train" not in found or any(f"{name}labels" not in returned for name in found.values()):
            own.refuse(f"its dict has {', '.join(map(str, returned))}; it needs inputs and labels")
        return {
            part: _pair(own, returned[f"{name}inputs"], returned[f"{name}labels"])
            for part, name in found.items()
        }
    if isinstance(returned, Dataset):
        return {"train": _read_dataset(own, returned)}
    if not isinstance(returned, tuple | list):
        own.refuse(f"returned a {type(returned).__name__}; {RETURNS}")
    if len(returned) in PARTS and all(isinstance(each, tuple | Dataset) for each in returned):
        pairs = [
            _read_dataset(own, each) if isinstance(each, Dataset) else _pair(own, *each) for each in returned
        ]
        return dict(zip(PARTS[len(returned)], pairs, strict=True))
    arrays = [np.asarray(each) for each in returned]
    if len(arrays) not in (2, 4):
        own.refuse(f"returned {len(arrays)} things; {RETURNS}")
    if len(arrays) == 4 and arrays[1].ndim == arrays[0].ndim > 1:  # as train_test_split orders them
        arrays = [arrays[0], arrays[2], arrays[1], arrays[3]]
    return {
        part: _pair(own, *arrays[2 * index : 2 * index + 2])
        for index, part in enumerate(PARTS[len(arrays) // 2])
    }


def _pair(own: Target, *pair: Any) -> Pair:
    if len(pair) != 2:
        own.refuse(f"returned a tuple of {len(pair)} in place of inputs and labels; {RETURNS}")
    inputs, labels = map(np.asarray, pair)
    if inputs.ndim == 0 or labels.shape[:1] != inputs.shape[:1] or len(labels) == 0:
        own.refuse(f"inputs have shape {inputs.shape} and labels {labels.shape}; expected [N, ...] and [N]")
    return inputs, labels


def _read_dataset(own: Target, dataset: Any) -> Pair:
    """Return all samples of a Dataset, read once, in order."""
    if not hasattr(dataset, "__len__"):
        own.refuse(f"its {type(dataset).__name__} has no length; return a Dataset with __len__")
    samples = [dataset[index] for index in range(len(dataset))]
    if not all(isinstance(sample, tuple | list) and len(sample) == 2 for sample in samples):
        own.refuse(f"its {type(dataset).__name__} gives samples that are not pairs of an input and a label")
    inputs = [np.asarray(sample[0]) for sample in samples]
    if shapes := {each.shape for each in inputs if each.shape != inputs[0].shape}:
        own.refuse(f"its inputs differ in shape: {inputs[0].shape} and {min(shapes)}; give them one shape")
    return _pair(own, np.stack(inputs), np.asarray([sample[1] for sample in samples]))


def _inputs(own: Target, part: str, inputs: Array) -> torch.Tensor:
    """Return uint8 or floating inputs, images as [N, C, H, W]."""
    shape = inputs.shape
    if inputs.dtype.kind not in "fiub" or len(shape) not in (2, 3, 4) or 0 in shape:
        own.refuse(
            f"its {part} inputs are {inputs.dtype} of shape {shape}; expected numbers [N, F], [N, C, H, W], "
            "[N, H, W, C] or grey images [N, H, W]"
        )
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        own.refuse(f"its {part} inputs are not all finite")
    if len(shape) == 4 and shape[3] in (1, 3, 4) and shape[1] > 4:
        inputs = inputs.transpose(0, 3, 1, 2)
    keep = {"uint8": np.uint8, "bool": np.float32, "float16": np.float32, "float32": np.float32}
    converted = np.ascontiguousarray(inputs, keep.get(inputs.dtype.newbyteorder("=").name, np.float64))
    return torch.from_numpy(converted[:, None] if len(shape) == 3 else converted)
