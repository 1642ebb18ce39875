"""Finds the inputs and labels of each part among the names that people give to arrays.

It does not import numpy or torch, because a finished run is recognised without them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlx.data.source import wrong_file
from dlx.errors import RequestError, nearest

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
KINDS = {
    "inputs": ("inputs", "input", "x", "images", "image", "imgs", "img", "data", "features"),
    "labels": ("labels", "label", "y", "targets", "target"),
}
CLASSES = ("classes", "class_names", "label_names", "target_names")
POSITIONAL = ("arr_0", "arr_1")  # as numpy.savez names arrays that are given without names
REMEDY = "name the pair to train on with data.inputs=NAME data.labels=NAME"


@dataclass(frozen=True)
class Pairs:
    """The names of the arrays to read: (inputs, labels) by part, and the array of class names if any."""

    parts: Mapping[str, tuple[str, str]]  # train, and perhaps val and test
    classes: str | None

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs."""
        return [inputs for inputs, _ in self.parts.values()]

    @property
    def names(self) -> list[str]:
        """The names of all arrays to read."""
        pairs = [name for pair in self.parts.values() for name in pair]
        return [*pairs, self.classes] if self.classes else pairs

    @property
    def note(self) -> str:
        """What was read as what; nothing if the names are dlx's own."""
        if set(self.names) <= {*OWN, "classes"}:
            return ""
        words = {"train": "training", "val": "validation", "test": "test"}
        read = [f"{x} and {y} for {words[part]}" for part, (x, y) in self.parts.items()]
        return f"arrays were read as inputs and labels: {', '.join(read)}"


def find_pairs(
    file: Path, names: Iterable[str], inputs: str | None = None, labels: str | None = None
) -> Pairs:
    """Return which arrays of `file` to read; `inputs` and `labels` name the pair to train on themselves.

    Raises RequestError that names the arrays if there is no pair, or more than one.
    """
    names = list(names)
    classes = next((name for name in CLASSES if name in names), None)
    if inputs or labels:
        return Pairs({"train": _named(file, names, inputs, labels)}, classes)
    if set(names) == set(POSITIONAL):
        return Pairs({"train": POSITIONAL}, None)
    own = [name for name in names if name in OWN]
    # Beside dlx's own names, others have always been ignored.
    roles = _roles(own if {"inputs", "train_inputs"} & {*own} else names)
    parts = {part: _pair(file, names, roles, part) for part in PARTS if part == "train" or _any(roles, part)}
    return Pairs(parts, classes)


def array_files(path: Path, labels: str | None = None) -> dict[str, Path]:
    """Return the .npy files that data.path names, by the names of their arrays; none for any other file.

    A folder names all that it holds; one file names itself and its labels, which are beside it.
    """
    if path.is_dir():
        return {file.stem: file for file in sorted(path.glob("*.npy"))}
    if path.suffix != ".npy":
        return {}
    beside = {file.stem: file for file in sorted(path.parent.glob("*.npy"))}
    if labels is None:
        part, kind = ROLES.get(_letters(path.stem), ("", ""))
        found = [
            name for name in beside if kind == "inputs" and ROLES.get(_letters(name)) == (part, "labels")
        ]
    else:
        found = [name for name in (labels.removesuffix(".npy"),) if name in beside]
    return {path.stem: path} | {name: beside[name] for name in found if name != path.stem}


def _letters(name: str) -> str:
    return name.lower().translate(dict.fromkeys(map(ord, "_-. ")))


# By a name without its separators ("xtrain", "testimages", "labels"): the part and the kind.
ROLES = {
    spelled: (part, kind)
    for kind, kinds in KINDS.items()
    for word in kinds
    for part, parts in PARTS.items()
    for of in parts
    for spelled in (f"{of}{word}", f"{word}{of}")
} | {word: ("train", kind) for kind, kinds in KINDS.items() for word in kinds}
OWN = {f"{part}{kind}" for part in ("", "train_", "val_", "test_") for kind in KINDS}


def _roles(names: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if (role := ROLES.get(_letters(name))) is not None:
            found.setdefault(role, []).append(name)
    return found


def _any(roles: Mapping[tuple[str, str], list[str]], part: str) -> bool:
    return any((part, kind) in roles for kind in KINDS)


def _pair(
    file: Path, names: Sequence[str], roles: Mapping[tuple[str, str], list[str]], part: str
) -> tuple[str, str]:
    inputs, labels = (roles.get((part, kind), []) for kind in KINDS)
    for found, kind in ((inputs, "inputs"), (labels, "labels")):
        if len(found) > 1:
            raise wrong_file(file, f"has both {' and '.join(found)}; keep one of these {kind}, or {REMEDY}")
    missing = [kind for kind, found in zip(KINDS, (inputs, labels), strict=True) if not found]
    if missing:
        own = "" if part == "train" else f"{part}_"
        there = f"{(inputs or labels)[0]} has no {missing[0]}: it " if len(missing) == 1 else ""
        raise wrong_file(
            file,
            f"{there}has no array {own}{missing[0]}; it needs {own}inputs and {own}labels (it has "
            f"{', '.join(sorted(names)) or 'no arrays'}); {REMEDY}",
        )
    return inputs[0], labels[0]


def _named(file: Path, names: Sequence[str], inputs: str | None, labels: str | None) -> tuple[str, str]:
    if not (inputs and labels):
        key, other = ("data.inputs", "data.labels") if inputs else ("data.labels", "data.inputs")
        raise RequestError(f"{key}={inputs or labels}: give {other} as well, the name of the other array")
    for key, name in (("data.inputs", inputs), ("data.labels", labels)):
        if name not in names:
            near = nearest(name, names)
            raise RequestError(
                f"{key}={name}: {file} has no such array{near} (it has {', '.join(sorted(names))})"
            )
    return inputs, labels
