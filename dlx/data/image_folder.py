"""The user's own images in class folders, decoded once.

Axes: N images, C channels, H height, W width.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dlx.data.image_cache import cached, fingerprint
from dlx.data.image_decode import Mode, check_memory, decode, image_size
from dlx.data.image_listing import Part, list_images
from dlx.data.roots import below
from dlx.data.source import Arrays, Source, sources

Pixels = Annotated[int, Field(ge=1)]


@sources.register("image_folder")
def image_folder(
    root: Path,
    *,
    path: str = ".",
    size: Pixels | tuple[Pixels, Pixels] | None = None,
    mode: Mode = "rgb",
    cache: bool = True,
) -> Source:
    """Read `<class>/<image>` or `train/<class>/<image>` below root / path as [N, C, H, W] uint8.

    `size` (a side, or height and width) resizes every image to it, whatever its shape; null takes them
    as they are, and then all must have one size. Raises RequestError for an image that cannot be read or
    has another size, for a class without images, and for more images than fit into memory.
    """
    listing = list_images(below(root, path))
    folder, files = listing.folder, listing.files
    shape = (size, size) if isinstance(size, int) else size or image_size(folder / files[0])
    check_memory(len(files), shape, mode)
    decode_all = partial(decode, folder, files, shape, mode, resize=size is not None)
    if cache:
        settings = [size, mode]
        expected = fingerprint(folder, files, settings)
        images = torch.from_numpy(cached(folder, settings, expected, decode_all))
    else:
        images = torch.from_numpy(decode_all())
    return Source(
        listing.classes,
        _take(images, listing.train),
        None if listing.validation is None else _take(images, listing.validation),
        None if listing.test is None else _take(images, listing.test),
        white=255.0,
    )


def _take(images: Tensor, part: Part) -> Arrays:
    return Arrays(images[part.start : part.start + len(part.files)], torch.tensor(part.labels))
