"""Finding the images of a folder: which layout it has, its classes, its files in a fixed order."""

import os
from dataclasses import dataclass
from pathlib import Path

from dlx.errors import RequestError

VALIDATION_NAMES = ("val", "valid", "validation")


@dataclass(frozen=True)
class Part:
    """The images of one part: files, relative to the listing's folder, and their labels."""

    files: tuple[str, ...]
    labels: tuple[int, ...]
    start: int  # where they begin in the listing's `files`


@dataclass(frozen=True)
class Listing:
    """A folder's classes and parts; files and classes are sorted, whatever the disk's order."""

    folder: Path
    classes: tuple[str, ...]
    train: Part
    validation: Part | None
    test: Part | None

    @property
    def files(self) -> list[str]:
        """Every file: training, then validation, then test."""
        return [file for part in (self.train, self.validation, self.test) if part for file in part.files]


def list_images(folder: Path) -> Listing:
    """List `<class>/<image>`, or `train/<class>/<image>` with optional val (valid, validation) and test.

    What Pillow cannot read by its name's ending is passed over, what begins with a dot, what is no file.
    Raises RequestError for a class without images and for a class that only validation or test has.
    """
    if not folder.is_dir():
        raise RequestError(f"data.path: {folder} is a file; image_folder needs the folder of class folders")
    # A folder "train" with images in it is a class of vehicles; one with folders in it is a part.
    if not _folders(folder / "train"):
        classes = _folders(folder)
        return Listing(folder, classes, _part(folder, "", classes, 0), None, None)
    classes = _folders(folder / "train")
    validations = [name for name in VALIDATION_NAMES if (folder / name).is_dir()]
    if len(validations) > 1:
        raise RequestError(f"data.path: {folder} holds {' and '.join(validations)}; keep one to validate on")
    train = _part(folder, "train/", classes, 0)
    validation = test = None
    count = len(train.files)
    if validations:
        validation = _part(folder, f"{validations[0]}/", classes, count)
        count += len(validation.files)
    if (folder / "test").is_dir():
        test = _part(folder, "test/", classes, count)
    return Listing(folder, classes, train, validation, test)


def _part(folder: Path, prefix: str, classes: tuple[str, ...], start: int) -> Part:
    found = _folders(folder / prefix)
    if not found:
        raise RequestError(
            f"data.path: no class folders in {folder / prefix}; expected <class>/<image> or "
            "train/<class>/<image>, one folder for each class"
        )
    strange = [name for name in found if name not in classes]
    if strange:
        raise RequestError(
            f"data.path: {folder / prefix / strange[0]} is a class that {folder / 'train'} does not have"
        )
    labels = {name: label for label, name in enumerate(classes)}
    files: list[tuple[str, int]] = []
    for name in found:
        images = _images(folder / prefix / name)
        if not images:
            raise RequestError(
                f"data.path: no images in the class folder {folder / prefix / name}; add images that Pillow "
                "reads (jpg, png, ...) or remove the folder"
            )
        files += [(f"{prefix}{name}/{image}", labels[name]) for image in images]
    return Part(tuple(file for file, _ in files), tuple(label for _, label in files), start)


def _folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(e.name for e in folder.iterdir() if e.is_dir() and not e.name.startswith(".")))


def _images(folder: Path) -> list[str]:
    endings = _readable_endings()
    with os.scandir(folder) as entries:  # which knows without asking again what is a file
        return sorted(
            entry.name
            for entry in entries
            if Path(entry.name).suffix.lower() in endings and entry.name[0] != "." and entry.is_file()
        )


def _readable_endings() -> set[str]:
    from PIL import Image

    return {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
