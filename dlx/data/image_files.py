"""Finds the images of class folders and their labels. It reads no image, and does not import torch."""

import os
from collections.abc import Sequence
from pathlib import Path

from dlx.errors import RequestError

Labelled = list[tuple[str, int]]  # files, relative to the folder, and their labels

CLUTTER = ("Thumbs.db", "desktop.ini", "__MACOSX")
VALIDATION_NAMES = ("val", "valid", "validation")


def list_images(folder: Path) -> tuple[tuple[str, ...], tuple[Labelled, Labelled | None, Labelled | None]]:
    """Return the classes and the images of the training, validation and test parts, sorted by class and name.

    The layout is `<class>/<image>`, or `train/<class>/<image>` with optional val (valid, validation) and
    test. Images in folders below a class are of that class. Files whose extension Pillow does not know, names
    that begin with a dot, and links to images that are read anyway are skipped. Raises RequestError for a
    class without images and for a class that only validation or test has.
    """
    links: list[str] = []
    classes, parts = _list_all(folder, links)
    listed = {file for part in parts for file, _ in part or ()} if links else set()
    repeated = {link for link in links if _target(folder, link) in listed}
    train, validation, test = ([each for each in part or () if each[0] not in repeated] for part in parts)
    return classes, (train, validation if parts[1] else None, test if parts[2] else None)


def _target(folder: Path, link: str) -> str:
    """Return where a link leads, relative to the folder; "" if it leads out of it."""
    target, home = (folder / link).resolve(), folder.resolve()
    return target.relative_to(home).as_posix() if target.is_relative_to(home) else ""


def _list_all(
    folder: Path, links: list[str]
) -> tuple[tuple[str, ...], tuple[Labelled, Labelled | None, Labelled | None]]:
    """Return the classes and images, and add to `links` those of the images that are links."""
    if not folder.is_dir():
        raise RequestError(f"data.path: {folder} is a file; image_folder needs the folder of class folders")
    # A folder "train" that holds images is a class (of vehicles); one that holds folders is a part.
    if not _folders(folder / "train"):
        classes = _folders(folder)
        return classes, (_part(folder, "", classes, links), None, None)
    classes = _folders(folder / "train")
    validations = [name for name in VALIDATION_NAMES if (folder / name).is_dir()]
    if len(validations) > 1:
        raise RequestError(f"data.path: {folder} holds {' and '.join(validations)}; keep one to validate on")
    train = _part(folder, "train/", classes, links)
    validation = _part(folder, f"{validations[0]}/", classes, links) if validations else None
    test = _part(folder, "test/", classes, links) if (folder / "test").is_dir() else None
    return classes, (train, validation, test)


def _part(folder: Path, prefix: str, classes: tuple[str, ...], links: list[str]) -> Labelled:
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
    direct = (
        False  # whether a class has images of its own, and not only folders that may be classes themselves
    )
    for name in found:
        images = _images(folder / prefix / name)
        if not images:
            raise RequestError(
                f"data.path: no images in the class folder {folder / prefix / name}; add images that Pillow "
                "reads (jpg, png, ...) or remove the folder"
            )
        direct |= any("/" not in image for image in images)
        files += [(f"{prefix}{name}/{image}", classes.index(name)) for image in images]
        links += [f"{prefix}{name}/{image}" for image, is_link in images.items() if is_link]
    if not direct:
        raise RequestError(
            f"data.path: {folder / prefix} has its images two folders down, as in {files[0][0]}; expected "
            "<class>/<image> or train/<class>/<image>; name a folder of class folders with data.path"
        )
    return files


def _folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir() if entry.is_dir())
    return tuple(sorted(name for name in names if name[0] != "." and name not in CLUTTER))


def _images(folder: Path) -> dict[str, bool]:
    """Return the images in a folder and in folders below it, sorted, and whether each is a link."""
    from PIL import Image

    readable = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    found: dict[str, bool] = {}
    folders = [""]
    while folders:
        below = folders.pop()
        with os.scandir(folder / below) as entries:  # it tells files, folders and links without another call
            for entry in entries:
                if entry.name[0] == ".":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{below}{entry.name}/")
                elif Path(entry.name).suffix.lower() in readable and entry.is_file():
                    found[f"{below}{entry.name}"] = entry.is_symlink()
    return dict(sorted(found.items()))


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
