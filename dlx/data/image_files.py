"""Finds the images of class folders and their labels. It reads no image, and does not import torch."""

import os
from collections.abc import Sequence
from pathlib import Path

from dlx.errors import RequestError

Labelled = list[tuple[str, int]]  # files, relative to the folder, and their labels

CLUTTER = ("Thumbs.db", "desktop.ini")
VALIDATION_NAMES = ("val", "valid", "validation")


def list_images(folder: Path) -> tuple[tuple[str, ...], tuple[Labelled, Labelled | None, Labelled | None]]:
    """Return the classes and the images of the training, validation and test parts, sorted by class and name.

    The layout is `<class>/<image>`, or `train/<class>/<image>` with optional val (valid, validation) and
    test. Files whose extension Pillow does not know, and names that begin with a dot, are skipped. Raises
    RequestError for a class without images and for a class that only validation or test has.
    """
    if not folder.is_dir():
        raise RequestError(f"data.path: {folder} is a file; image_folder needs the folder of class folders")
    # A folder "train" that holds images is a class (of vehicles); one that holds folders is a part.
    if not _folders(folder / "train"):
        classes = _folders(folder)
        return classes, (_part(folder, "", classes), None, None)
    classes = _folders(folder / "train")
    validations = [name for name in VALIDATION_NAMES if (folder / name).is_dir()]
    if len(validations) > 1:
        raise RequestError(f"data.path: {folder} holds {' and '.join(validations)}; keep one to validate on")
    train = _part(folder, "train/", classes)
    validation = _part(folder, f"{validations[0]}/", classes) if validations else None
    test = _part(folder, "test/", classes) if (folder / "test").is_dir() else None
    return classes, (train, validation, test)


def _part(folder: Path, prefix: str, classes: tuple[str, ...]) -> Labelled:
    found = _folders(folder / prefix)
    if not found:
        raise RequestError(
            f"data.path: no class folders in {folder / prefix}; expected <class>/<image> or "
            "train/<class>/<image>, one folder for each class"
        )
    for name in found:
        if name not in classes:
            raise RequestError(
                f"data.path: {folder / prefix / name} is a class that {folder / 'train'} does not have"
            )
    files: Labelled = []
    for name in found:
        images = _images(folder / prefix / name)
        if not images:
            raise RequestError(
                f"data.path: no images in the class folder {folder / prefix / name}; add images that Pillow "
                "reads (jpg, png, ...) or remove the folder"
            )
        files += [(f"{prefix}{name}/{image}", classes.index(name)) for image in images]
    return files


def _folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(e.name for e in folder.iterdir() if e.is_dir() and not e.name.startswith(".")))


def _images(folder: Path) -> list[str]:
    from PIL import Image

    readable = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    with os.scandir(folder) as entries:  # it needs no further system call to tell files from folders
        return sorted(
            entry.name
            for entry in entries
            if Path(entry.name).suffix.lower() in readable and entry.name[0] != "." and entry.is_file()
        )


def skipped_files(folder: Path, images: Sequence[str]) -> list[str]:
    """Return the files in the folders of these images that are none of them, in folders below them too.

    Files whose name begins with a dot, and what file managers leave, do not count.
    """
    known = set(images)
    found = []
    for class_folder in sorted({Path(image).parent for image in images}):
        for where, folders, files in os.walk(folder / class_folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            names = [name for name in files if not name.startswith(".") and name not in CLUTTER]
            paths = ((Path(where) / name).relative_to(folder).as_posix() for name in sorted(names))
            found += [path for path in paths if path not in known]
    return found
