"""Decoding image files into one uint8 array, on several cores, after a look at whether it fits.

Axes: N images, C channels, H height, W width.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dlx.data import memory
from dlx.errors import RequestError

if TYPE_CHECKING:
    from PIL.Image import Image

Mode = Literal["rgb", "grey"]
PILLOW_MODES = {"rgb": "RGB", "grey": "L"}
# The decoded array and its splits are in memory together for a moment.
COPIES = 2
# Of the memory that is left; the rest is for the model, the floating copy and everybody else.
SAFE_SHARE = 0.8
THREADED_PIXELS = 128 * 128
# Images a task: 60000 tasks of one small image each spent more on the queue than on decoding.
IMAGES_A_TASK = 64


def image_size(file: Path) -> tuple[int, int]:
    """Return (H, W) from the file's header alone."""
    with _opened(file) as image:
        return image.height, image.width


def check_memory(count: int, size: tuple[int, int], mode: Mode) -> None:
    """Raise RequestError if `count` images of `size` (H, W) would not fit into the memory that is left."""
    height, width = size
    needed = count * len(PILLOW_MODES[mode]) * height * width * COPIES
    available = memory.available_bytes()
    if available is not None and needed > SAFE_SHARE * available:
        smaller = max(1, int((height * width * SAFE_SHARE * available / needed) ** 0.5))
        raise RequestError(
            f"data.size: {count} images of {height}x{width} need {needed / 1e9:.3g} GB in memory and "
            f"{available / 1e9:.3g} GB are available, of which dlx takes {SAFE_SHARE:.0%}; resize them, for "
            f"example data.size={min(32, smaller)}"
        )


def decode(
    folder: Path, files: Sequence[str], size: tuple[int, int], mode: Mode, *, resize: bool
) -> NDArray[np.uint8]:
    """Return [N, C, H, W] in the order of the files below `folder`; transparency is dropped.

    Raises RequestError for a file that cannot be read and, without `resize`, for one of another size.
    """
    images = np.empty((len(files), len(PILLOW_MODES[mode]), *size), dtype=np.uint8)

    def fill(start: int) -> None:
        for index in range(start, min(start + IMAGES_A_TASK, len(files))):
            pixels = _decode_one(folder / files[index], files[0], size, mode, resize)
            images[index] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

    with ThreadPoolExecutor(_threads(image_size(folder / files[0]))) as pool:
        for _ in pool.map(fill, range(0, len(files), IMAGES_A_TASK)):
            pass  # in order, so the first bad file by name is the one reported
    return images


def _threads(size: tuple[int, int]) -> int:
    """As many as there are cores, where an image takes Pillow longer than Python.

    Pillow decodes without the interpreter's lock, but opens with it. Measured on 2 cores, one thread
    against two: 115 and 154 us an image of 32x32, 183 and 160 of 128x128, 611 and 384 of 400x400.
    """
    return 1 if size[0] * size[1] < THREADED_PIXELS else os.cpu_count() or 1


def _decode_one(file: Path, first: str, size: tuple[int, int], mode: Mode, resize: bool) -> NDArray[np.uint8]:
    from PIL.Image import Resampling

    height, width = size
    with _opened(file) as image:
        given = (image.height, image.width)
        if given != size and not resize:
            raise RequestError(
                f"data.size=null: {file} is {given[0]}x{given[1]} and {first} is {height}x{width} (height x "
                f"width); set data.size={height} or data.size=[{height},{width}] to resize them all"
            )
        # A JPEG can be decoded at 1/2, 1/4 or 1/8; twice the final size leaves the resizing to the filter.
        image.draft(PILLOW_MODES[mode], (2 * width, 2 * height))
        if "transparency" in image.info:
            converted = image.convert("RGBA").convert(PILLOW_MODES[mode])  # Pillow warns without the detour
        else:
            converted = image.convert(PILLOW_MODES[mode])
        if converted.size != (width, height):
            converted = converted.resize((width, height), Resampling.BILINEAR)
        return np.asarray(converted)


@contextmanager
def _opened(file: Path) -> Iterator["Image"]:
    """Open an image; whatever Pillow raises on a bad file becomes one line that names the file."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            _check_depth(image, file)
            yield image
    except RequestError:
        raise
    # A broken PNG is a SyntaxError of Pillow's.
    except (OSError, ValueError, SyntaxError, TypeError, struct.error, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(f"data.path: {file} cannot be read as an image: {reason}") from error


def _check_depth(image: "Image", file: Path) -> None:
    if image.mode[0] in "IF":  # 16 or 32 bits a pixel: Pillow would clip them at 255, unasked
        raise RequestError(
            f"data.path: {file} has more than 8 bits a pixel (Pillow's mode {image.mode}); convert it to 8"
        )
