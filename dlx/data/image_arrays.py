"""Image files -> one uint8 array: checked against the free memory, decoded on several cores, cached on disk.

A cache file is for one folder, size and mode. It holds a fingerprint of the image files and is written whole
or not at all; NumPy checks the zip format's CRC-32 while reading it. 60000 small JPEGs take seconds to decode
and half a second to read back.

Axes: N images, C channels, H height, W width.
"""

import hashlib
import json
import logging
import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dlx import device
from dlx.data.own_files import sizes_and_times
from dlx.errors import RequestError
from dlx.run.paths import cache_root

if TYPE_CHECKING:
    from PIL.Image import Image

Images = NDArray[np.uint8]
Mode = Literal["rgb", "grey"]
PILLOW_MODES = {"rgb": "RGB", "grey": "L"}
COPIES = 2  # for a moment, the decoded array and its splits are both in memory
ORIENTATION, UPRIGHT, ON_ITS_SIDE = 0x112, 1, 5  # EXIF's tag, and its values: 5 to 8 swap height and width
THREADED_PIXELS = 128 * 128
IMAGES_PER_TASK = 64  # with one small image per task, the queue took more time than decoding
log = logging.getLogger(__name__)


def image_size(file: Path) -> tuple[int, int]:
    """Return (H, W) of the upright image, from the file's header alone."""
    with _opened(file) as image:
        return _upright_size(image)


def check_memory(count: int, size: tuple[int, int], mode: Mode) -> None:
    """Raise RequestError if `count` images of `size` (H, W) do not fit into the free memory."""
    height, width = size
    needed = count * len(PILLOW_MODES[mode]) * height * width * COPIES
    available = device.available_bytes()
    if available is not None:
        smaller = max(1, int((height * width * device.SAFE_SHARE * available / needed) ** 0.5))
        advice = f"resize them, for example data.size={min(32, smaller)}"
        device.check_memory(f"data.size: {count} images of {height}x{width} need", needed, advice, available)


def decode(folder: Path, files: Sequence[str], size: tuple[int, int], mode: Mode, *, resize: bool) -> Images:
    """Return [N, C, H, W] in the order of the files below `folder`; transparency is dropped.

    Raises RequestError for a file that cannot be read and, without `resize`, for an image of another size.
    """
    images = np.empty((len(files), len(PILLOW_MODES[mode]), *size), dtype=np.uint8)

    def fill(start: int) -> None:
        for index in range(start, min(start + IMAGES_PER_TASK, len(files))):
            pixels = _decode_one(folder / files[index], files[0], size, mode, resize)
            images[index] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    # Pillow releases the interpreter's lock to decode, but not to open files. With one and with two threads
    # on 2 cores, an image took 115 and 154 us at 32x32, 183 and 160 at 128x128, 611 and 384 at 400x400.
    height, width = image_size(folder / files[0])
    threads = 1 if height * width < THREADED_PIXELS else os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fill, range(0, len(files), IMAGES_PER_TASK)):
            pass  # in order, so the error is about the first bad file
    return images


def _decode_one(file: Path, first: str, size: tuple[int, int], mode: Mode, resize: bool) -> Images:
    from PIL import ImageOps
    from PIL.Image import Resampling

    height, width = size
    with _opened(file) as image:
        given = _upright_size(image)
        if given != size and not resize:
            raise RequestError(
                f"data.size=null: {file} is {given[0]}x{given[1]} and {first} is {height}x{width} (height x "
                f"width); set data.size={height} or data.size=[{height},{width}] to resize them all"
            )
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size; from twice the final size, the filter still
        # gives the result its quality.
        sides = (2 * width, 2 * height) if given == (image.height, image.width) else (2 * height, 2 * width)
        image.draft(PILLOW_MODES[mode], sides)
        upright = image if _orientation(image) == UPRIGHT else ImageOps.exif_transpose(image)
        if "transparency" in upright.info:
            converted = upright.convert("RGBA").convert(PILLOW_MODES[mode])  # directly, Pillow would warn
        else:
            converted = upright.convert(PILLOW_MODES[mode])
        if converted.size != (width, height):
            converted = converted.resize((width, height), Resampling.BILINEAR)
        return np.asarray(converted)


def _orientation(image: "Image") -> int:
    """Return how the camera was held, by the EXIF tag that cameras write instead of turning the pixels."""
    return int(image.getexif().get(ORIENTATION, UPRIGHT))


def _upright_size(image: "Image") -> tuple[int, int]:
    on_its_side = _orientation(image) >= ON_ITS_SIDE
    return (image.width, image.height) if on_its_side else (image.height, image.width)


@contextmanager
def _opened(file: Path) -> Iterator["Image"]:
    """Open an image; every error that Pillow raises for a bad file becomes one line with the file's name."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            if image.mode[0] in "IF":  # 16 or 32 bits per pixel: Pillow would silently clip them at 255
                raise RequestError(  # noqa: TRY301
                    f"data.path: {file} has more than 8 bits per pixel (mode {image.mode}); convert it to 8"
                )
            yield image
    except RequestError:
        raise
    # Pillow raises a SyntaxError for a broken PNG.
    except (OSError, ValueError, SyntaxError, TypeError, struct.error, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(f"data.path: {file} cannot be read as an image: {reason}") from error


def fingerprint(folder: Path, files: Sequence[str], settings: object) -> str:
    """Return a SHA-256 of the files' names, sizes and modification times, the settings and Pillow's version.

    A file that changes without a new size or time goes unnoticed, because contents are not read.
    """
    from PIL import __version__  # another version may decode a JPEG to slightly different pixels

    return _hash([__version__, settings, sizes_and_times(folder, files)])


def cached(folder: Path, settings: object, expected: str, decode: Callable[[], Images]) -> Images:
    """Return the images of `folder` from the cache if it has the `expected` fingerprint, else from `decode`.

    One of several processes decodes while the others wait. A warning is logged if the cache is not writable.
    """
    from filelock import FileLock

    key = _hash([str(folder.resolve()), settings])[:32]
    path = cache_root() / "images" / f"{key}.npz"
    images = _read(path, expected)
    if images is not None:
        return images
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(path.with_suffix(".lock")))
        except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
            log.warning("decoded images of %s are not cached: %s", folder, error)
            return decode()
        images = _read(path, expected)  # another process may have decoded them
        if images is None:
            images = decode()
            _write(path, expected, images)
    return images


def _read(path: Path, expected: str) -> Images | None:
    try:
        # Opened here, because NumPy does not close a damaged file.
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
        log.warning("decoded images are not cached in %s: %s", path, error)
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
