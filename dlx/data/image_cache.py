"""Decoded images on disk: written whole or not at all, and believed only after a check.

One file for each folder, size and mode; it carries the fingerprint of the files it was decoded from, and
the zip format's CRC-32 of its content, which NumPy verifies as it reads. 60000 small JPEGs take seconds
to decode and half a second to read back.
"""

import hashlib
import json
import logging
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlx.data import roots

Images = NDArray[np.uint8]
log = logging.getLogger(__name__)


def fingerprint(folder: Path, files: Sequence[str], settings: object) -> str:
    """Return a SHA-256 of the files' names, sizes and times of change, the settings and Pillow's version.

    Content is not read: a file changed in place, to the same size and with its old time put back, goes
    unnoticed (`data.cache=false` reads it).
    """
    from PIL import __version__  # another version may decode a JPEG to slightly different pixels

    stats = [(folder / file).stat() for file in files]
    listed = [(file, stat.st_size, stat.st_mtime_ns) for file, stat in zip(files, stats, strict=True)]
    return _hash([__version__, settings, listed])


def cached(folder: Path, settings: object, expected: str, decode: Callable[[], Images]) -> Images:
    """Return the images of `folder` from the cache if it holds them as `expected`, else from `decode`.

    Many processes at once decode once: the others wait for the first. Where the cache cannot be written
    the images are decoded and a warning is logged.
    """
    from filelock import FileLock

    key = _hash([str(folder.resolve()), settings])[:32]
    path = roots.cache_root() / "images" / f"{key}.npz"
    found = _read(path, expected)
    if found is not None:
        return found
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(path.with_suffix(".lock")))
        except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
            log.warning("decoded images of %s are not kept: %s", folder, error)
            return decode()
        found = _read(path, expected)  # another process may have been here
        if found is None:
            found = decode()
            _write(path, expected, found)
    return found


def _read(path: Path, expected: str) -> Images | None:
    try:
        # Opened here, because numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["fingerprint"]) != expected:
                return None
            images: Images = stored["images"]
            return images
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        log.warning("%s is damaged and will be made again: %s", path, error)
        return None


def _write(path: Path, expected: str, images: Images) -> None:
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as target:
            np.savez(target, fingerprint=np.array(expected), images=images)
        part.replace(path)
    except OSError as error:
        log.warning("decoded images are not kept in %s: %s", path, error)
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
