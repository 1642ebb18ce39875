"""Decoded images in dlx's cache folder: decoded once, written whole or not at all, checked when read.

A file is for one folder, size and mode. It is an uncompressed .npz of a fingerprint of the image files and
the images, whose CRC-32 is compared each time it is opened. 60000 small JPEGs take seconds to decode and half
a second to read back.

Axes: N images, C channels, H height, W width.
"""

import errno
import hashlib
import json
import logging
import math
import os
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from dlx.data.image_arrays import Images
from dlx.data.on_disk import ArrayFile, OnDisk, Samples
from dlx.data.own_files import sizes_and_times
from dlx.run.files import write_size
from dlx.run.paths import cache_root, naming

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
log = logging.getLogger(__name__)

Shape = tuple[int, int, int, int]


def fingerprint(folder: Path, files: Sequence[str], settings: object) -> str:
    """Return a SHA-256 of the files' names, sizes and modification times, the settings and Pillow's version.

    A file that changes without a new size or time goes unnoticed, because contents are not read.
    """
    from PIL import __version__  # another version may decode a JPEG to slightly different pixels

    return _hash([__version__, settings, sizes_and_times(folder, files)])


def cached(
    folder: Path,
    settings: object,
    expected: str,
    shape: Shape,
    decode: Callable[[], Iterable[Images]],
    *,
    on_disk: bool = False,
) -> Samples:
    """Return the images [N, C, H, W] of `folder` from the cache, in memory or as rows `on_disk`.

    Unless a file has the `expected` fingerprint, `decode` gives them in blocks. One of several processes
    decodes while the others wait. If the cache is not writable, images in memory only cost a warning; those
    that are to stay on disk raise OSError.
    """
    from filelock import FileLock

    path = cache_root() / "images" / f"{_hash([str(folder.resolve()), settings])[:32]}.npz"
    if (images := _read(path, expected, on_disk)) is not None:
        return images
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(path.with_suffix(".lock")))
        except (OSError, NotImplementedError) as error:
            if on_disk:
                raise _named(error, path) from error
            log.warning("decoded images of %s are not cached: %s", folder, error)
            return torch.from_numpy(collect(decode(), shape))
        if (images := _read(path, expected, on_disk)) is not None:  # another process has decoded them
            return images
        if on_disk:
            log.warning("decoding %d images once, into %s (%s)", shape[0], path, write_size(math.prod(shape)))
            _write(path, expected, shape, decode())
            return OnDisk(ArrayFile(path, "images"))
        decoded = collect(decode(), shape)
        try:
            _write(path, expected, shape, [decoded])
        except OSError as error:
            log.warning("decoded images are not cached in %s: %s", path, error)
        return torch.from_numpy(decoded)


def collect(blocks: Iterable[Images], shape: Shape) -> Images:
    """Return the images of all blocks as one array of this shape."""
    images = np.empty(shape, np.uint8)
    start = 0
    for block in blocks:
        images[start : start + len(block)] = block
        start += len(block)
    return images


def _read(path: Path, expected: str, on_disk: bool) -> Samples | None:
    try:
        # Opened here, because NumPy does not close a damaged file.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["fingerprint"]) != expected:
                return None
            return OnDisk(ArrayFile(path, "images")) if on_disk else torch.from_numpy(stored["images"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        log.warning("%s is damaged and will be made again: %s", path, error)
        return None


def _write(path: Path, expected: str, shape: Shape, blocks: Iterable[Images]) -> None:
    """Write the images as they come; whatever happens, `path` is as before or whole."""
    part = path.with_suffix(".part")
    try:
        with naming(path), part.open("wb") as file:
            _reserve(file, math.prod(shape))
            with zipfile.ZipFile(file, "w") as archive:
                with archive.open("fingerprint.npy", "w") as member:
                    np.lib.format.write_array(member, np.array(expected))
                with archive.open("images.npy", "w", force_zip64=True) as member:
                    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(member, header)
                    for block in blocks:
                        member.write(block.data)
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
    except BaseException:  # Ctrl-C as well
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _reserve(file: BinaryIO, size: int) -> None:
    """Take the room on the disk at once, so that a full one is known before minutes of decoding."""
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:  # some file systems cannot reserve
        if error.errno in FULL:
            raise


def _named(error: OSError | NotImplementedError, path: Path) -> OSError:
    """Return the error of a folder that cannot be written or, as filelock reports it, has no locks."""
    if isinstance(error, OSError):
        return error
    return OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path.parent))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
