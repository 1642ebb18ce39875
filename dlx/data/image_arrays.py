"""Decodes image files into uint8 arrays, block by block, on several cores.

Axes: N images, B of a block, C channels, H height, W width.
"""

import math
import os
import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dlx import device
from dlx.data.prefetch import prefetch
from dlx.data.storage import COPIES
from dlx.errors import RequestError

if TYPE_CHECKING:
    from PIL.Image import Image

Images = NDArray[np.uint8]
Mode = Literal["rgb", "grey"]
PILLOW_MODES = {"rgb": "RGB", "grey": "L"}
ORIENTATION, UPRIGHT, ON_ITS_SIDE = 0x112, 1, 5  # EXIF's tag, and its values: 5 to 8 swap height and width
THREADED_PIXELS = 128 * 128
# A block is the task of a thread. With one small image per task, the queue took more time than decoding.
IMAGES_PER_BLOCK, BLOCK_BYTES = 64, 16 << 20


def image_size(file: Path) -> tuple[int, int]:
    """Return (H, W) of the upright image, from the file's header alone."""
    with _opened(file) as image:
        return _upright_size(image)


def decoded_bytes(count: int, size: tuple[int, int], mode: Mode) -> int:
    """Return the bytes of `count` decoded images of `size` (H, W)."""
    return count * len(PILLOW_MODES[mode]) * math.prod(size)


def check_memory(count: int, size: tuple[int, int], mode: Mode) -> None:
    """Raise RequestError if `count` images of `size` (H, W) do not fit into the free memory."""
    height, width = size
    needed = COPIES * decoded_bytes(count, size, mode)
    available = device.available_bytes()
    if available is not None:
        smaller = max(1, int((height * width * device.SAFE_SHARE * available / needed) ** 0.5))
        advice = f"set data.storage=disk, or resize them, for example data.size={min(32, smaller)}"
        device.check_memory(f"data.size: {count} images of {height}x{width} need", needed, advice, available)


def decode(
    folder: Path, files: Sequence[str], size: tuple[int, int], mode: Mode, *, resize: bool
) -> Generator[Images, None, None]:
    """Yield blocks [B, C, H, W] of the images in the order of the files below `folder`.

    Few blocks are in memory at a time. Transparency is dropped. Raises RequestError for a file that cannot be
    read and, without `resize`, for an image of another size.
    """
    shape = (len(PILLOW_MODES[mode]), *size)
    per_block = max(1, min(IMAGES_PER_BLOCK, BLOCK_BYTES // math.prod(shape)))

    def decode_block(start: int) -> Images:
        part = files[start : start + per_block]
        images = np.empty((len(part), *shape), dtype=np.uint8)
        for image, file in zip(images, part, strict=True):
            pixels = _decode_one(folder / file, files[0], size, mode, resize)
            image[...] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return images

    # Pillow releases the interpreter's lock to decode, but not to open files. With one and with two threads
    # on 2 cores, an image took 115 and 154 us at 32x32, 183 and 160 at 128x128, 611 and 384 at 400x400.
    height, width = image_size(folder / files[0])
    threads = 1 if height * width < THREADED_PIXELS else os.cpu_count() or 1
    yield from prefetch(decode_block, range(0, len(files), per_block), threads)


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
