"""A contact sheet: a few images of each class on one picture, a row a class.

Axes: N images, C channels, H height, W width.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dlx.data.on_disk import in_memory
from dlx.data.source import Arrays

PER_CLASS, MOST_CLASSES = 8, 30
SIDE, GAP, NAME_WIDTH = 64, 4, 150  # pixels: the least side that is easily seen, between images, of a name
LETTER = 7  # pixels that a letter of Pillow's own font takes, at most
Pixels = NDArray[np.uint8]


def has_images(arrays: Arrays) -> bool:
    """Say whether samples can be drawn: [C, H, W] with one, three or four channels."""
    shape = arrays.inputs.shape
    return len(shape) == 4 and shape[1] in (1, 3, 4)


def write_contact_sheet(
    file: Path, classes: tuple[str, ...], train: Arrays, black: float, white: float
) -> int:
    """Write the first training images of each class, and return how many classes are drawn.

    Values from `black` to `white` are drawn from black to white. Raises OSError.
    """
    from PIL import Image, ImageDraw

    drawn = classes[:MOST_CLASSES]
    height, width = train.inputs.shape[2:]
    factor = max(1, SIDE // max(height, width))  # whole, so that a pixel stays a square
    tall, wide = factor * height + GAP, factor * width + GAP
    sheet = Image.new("RGB", (NAME_WIDTH + PER_CLASS * wide, max(1, len(drawn)) * tall + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for row, name in enumerate(drawn):
        top = GAP + row * tall
        pen.text((GAP, top + tall // 2 - 8), _short(name), fill="black", font_size=12)
        index = (train.labels == row).nonzero().flatten()[:PER_CLASS]
        for column, image in enumerate(_pixels(in_memory(train.inputs.index_select(0, index)), black, white)):
            enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
            sheet.paste(Image.fromarray(enlarged), (NAME_WIDTH + column * wide, top))
    sheet.save(file)
    return len(drawn)


def _pixels(images: torch.Tensor, black: float, white: float) -> list[Pixels]:
    """Return images [N, C, H, W] as [H, W] or [H, W, 3] bytes each."""
    array: NDArray[Any] = images.numpy()
    array = ((array - black) / ((white - black) or 1.0) * 255).round().astype(np.uint8)
    return [image[0] if len(image) == 1 else image[:3].transpose(1, 2, 0) for image in array]


def _short(name: str) -> str:
    most = NAME_WIDTH // LETTER
    return name if len(name) <= most else f"{name[: most - 3]}..."
