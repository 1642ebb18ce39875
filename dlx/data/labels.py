"""Reads labels as people store them: as classes 0 to K-1, as yes-or-no labels, or as numbers.

Axes: N samples of a part, K classes, D numbers of a sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Task = Literal["auto", "classification", "regression"]

# A class of a single sample cannot be both trained and validated on.
SAMPLES_PER_CLASS = 2
SHOWN = 5  # classes that a sentence names


@dataclass(frozen=True)
class Labels:
    """Labels as understood, by their names: int64 [N] of `classes`, or float64 [N] or [N, D].

    Yes-or-no labels are float64 [N, K] of 0 and 1; `classes` are their names, if these are known.
    """

    classes: tuple[str, ...]
    arrays: dict[str, Array]
    notes: list[str] = field(default_factory=list)


def read_labels(given: Mapping[str, Array], task: Task = "auto", names: Sequence[str] = ()) -> Labels:
    """Read label arrays by their names, those of the training samples first.

    `names` are the classes' names, if they are known. `auto`: fractions, and whole numbers that hardly
    repeat, are numbers; rows of 0 and 1 that are not one-hot are yes-or-no labels; everything else is
    classes. `notes` say what was changed. Raises ValueError with one sentence that names the array.
    """
    if task == "auto" and (several := _yes_or_no(given, names)):
        return several
    first, notes = next(iter(given)), list[str]()
    arrays = {
        name: _one_label_a_sample(name, array, task, notes if name == first else [])
        for name, array in given.items()
    }
    train = arrays[first]
    if task == "regression" or (task == "auto" and train.dtype.kind == "f"):
        return _numbers(arrays, [])
    if not names and train.ndim < given[first].ndim and given[first].shape[1] > 1:  # one-hot, of all classes
        names = [str(label) for label in range(given[first].shape[1])]
    for name, array in arrays.items():
        if array.ndim > 1 or array.dtype.kind == "f":
            raise ValueError(
                f"{name} of shape {array.shape} in {array.dtype} are not classes; give one whole number or "
                "text a sample, or set data.task=regression"
            )
    values = np.unique(train)
    if task == "auto" and not names and _hardly_repeat(values, train):
        note = (
            f"{first} are {len(values)} different whole numbers in {len(train)} samples, which were read as "
            "numbers, not classes; data.task=classification reads classes"
        )
        return _numbers(arrays, [note])
    classes, known = _classes(first, values, names, notes)
    return Labels(classes, {name: _codes(name, array, known) for name, array in arrays.items()}, notes)


def _one_label_a_sample(name: str, array: Array, task: Task, notes: list[str]) -> Array:
    """Return labels [N] for one-hot labels, a column, and whole numbers in floats; others as they are."""
    if array.dtype.kind not in "iubfUS":
        raise ValueError(f"{name} are {array.dtype}; give whole numbers, texts or, for a regression, floats")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise ValueError(
            f"{name} has shape {array.shape}; expected one label a sample, [N] or one-hot [N, K]"
        )
    if array.dtype.kind == "S":
        return np.char.decode(array, errors="replace")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        first = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name} is not finite at {first}: {array[tuple(first)]}; leave such samples out")
    if task == "regression" or array.dtype.kind == "U":
        return array
    if array.ndim == 2:
        return _not_one_hot(name, array) if not _is_one_hot(array) else _from_one_hot(name, array, notes)
    if array.dtype.kind != "f" or not (array == np.round(array)).all() or np.abs(array).max() >= 2**53:
        return array.astype(np.uint8) if array.dtype.kind == "b" else array
    notes.append(f"{name} are whole numbers in {array.dtype} and were read as classes")
    return array.astype(np.int64)


def _yes_or_no(given: Mapping[str, Array], names: Sequence[str]) -> Labels | None:
    """Return rows of 0 and 1 as yes-or-no labels [N, K]; None for other rows, and if all are one-hot."""
    arrays = list(given.values())
    if not all(a.dtype.kind in "iubf" and a.ndim == 2 and a.shape[1] > 1 and _is_binary(a) for a in arrays):
        return None
    if all(map(_is_one_hot, arrays)):
        return None
    first, width = next(iter(given)), arrays[0].shape[1]
    if names and len(names) != width:
        raise ValueError(f"{first} has shape {arrays[0].shape}, but {len(names)} classes are named")
    note = f"{first} were read as {width} yes-or-no labels a sample, for loss=binary_cross_entropy"
    return Labels(tuple(names), {name: array.astype(np.float64) for name, array in given.items()}, [note])


def _is_binary(array_NK: Array) -> bool:
    return bool(((array_NK == 0) | (array_NK == 1)).all())


def _is_one_hot(array_NK: Array) -> bool:
    return _is_binary(array_NK) and bool((array_NK.sum(1) == 1).all())


def _from_one_hot(name: str, array_NK: Array, notes: list[str]) -> Array:
    notes.append(f"{name} are one-hot and were read as classes 0 to {array_NK.shape[1] - 1}")
    return np.asarray(array_NK.argmax(1))


def _not_one_hot(name: str, array_NK: Array) -> Array:
    """Return numbers [N, D]; refuse several classes a sample, and probabilities."""
    if _is_binary(array_NK):
        raise ValueError(
            f"{name} of shape {array_NK.shape} have several classes a sample or none; give one class a sample"
        )
    if array_NK.dtype.kind == "f" and (array_NK >= 0).all() and np.allclose(array_NK.sum(1), 1):
        raise ValueError(
            f"{name} of shape {array_NK.shape} are probabilities; store {name}.argmax(1), or set "
            "data.task=regression"
        )
    if array_NK.dtype.kind != "f":
        raise ValueError(
            f"{name} of shape {array_NK.shape} are several whole numbers a sample; give one class a sample, "
            "or set data.task=regression"
        )
    return array_NK


def _numbers(arrays: Mapping[str, Array], notes: list[str]) -> Labels:
    for name, array in arrays.items():
        if array.dtype.kind not in "iubf":
            raise ValueError(f"{name} are texts; a regression (data.task=regression) needs numbers")
    return Labels((), {name: np.asarray(array, np.float64) for name, array in arrays.items()}, notes)


def _hardly_repeat(values: Array, train: Array) -> bool:
    """Say whether whole numbers are probably a quantity, not classes: they have gaps, and few are alike."""
    if values.dtype.kind not in "iu" or _counts_from(values) in (0, 1):
        return False
    return len(values) > 2 and len(train) < SAMPLES_PER_CLASS * len(values)


def _counts_from(values: Array) -> int | None:
    """Return the first of ascending whole numbers without a gap; None if there is a gap."""
    low, high = int(values[0]), int(values[-1])
    return low if high - low == len(values) - 1 else None


def _classes(
    name: str, values: Array, names: Sequence[str], notes: list[str]
) -> tuple[tuple[str, ...], Array]:
    """Return the names of the classes, and the ascending labels that stand for them."""
    if values.dtype.kind == "U":
        if names and set(values.tolist()) <= {*names}:
            return tuple(names), np.array(names)
        notes.append(f"{name} {_listed(values)} were read as classes 0 to {len(values) - 1}")
        return tuple(values.tolist()), values
    low, high = int(values[0]), int(values[-1])
    classes = tuple(names) or tuple(map(str, values.tolist()))
    if names and low >= 0 and high < len(names):
        return classes, np.arange(len(names))
    shifted = _counts_from(values) == 1 or values.tolist() == [-1, 1]
    if not (_counts_from(values) == 0 or shifted) and names:
        raise ValueError(
            f"{name} range from {low} to {high}, but there are {len(names)} classes, 0 to {len(names) - 1}"
        )
    if len(classes) != len(values):
        raise ValueError(
            f"{name} are {_listed(values)}, but {len(names)} classes are named; name each of them"
        )
    if low < 0 and not shifted:
        raise ValueError(
            f"{name} range from {low} to {high}, and {low} may stand for samples without a label; leave "
            "these out, or number the classes from 0"
        )
    if _counts_from(values) != 0:
        notes.append(f"{name} {_listed(values)} were read as classes 0 to {len(values) - 1}")
    return classes, values


def _codes(name: str, array: Array, known: Array) -> Array:
    """Return the class of each label, [N] int64. `known` [K] are the labels of the classes."""
    order = np.argsort(known, kind="stable")
    places = np.searchsorted(known, array, sorter=order).clip(max=len(known) - 1)
    codes = order[places]
    if (known[codes] == array).all():
        return np.asarray(codes, np.int64)
    unknown = np.unique(array[known[codes] != array])
    whole = known.dtype.kind in "iu"
    given = f"range from {array.min()} to {array.max()}" if whole else f"hold {_listed(unknown)}"
    raise ValueError(
        f"{name} {given}, but there are {len(known)} classes in the training samples, {_listed(known)}"
    )


def _listed(values: Array) -> str:
    if values.dtype.kind in "iu" and _counts_from(values) is not None and len(values) > 2:
        return f"{values[0]} to {values[-1]}"
    shown = [str(value) for value in values[:SHOWN]]
    return ", ".join(shown + ["..."] * (len(values) > SHOWN))
