"""The user's own images in class folders. Axes: N images, C channels, H height, W width."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field

from dlx.data.image_arrays import PILLOW_MODES, Mode, check_memory, decode, decoded_bytes, image_size
from dlx.data.image_cache import cached, collect, fingerprint
from dlx.data.image_files import list_images, skipped_files
from dlx.data.source import Arrays, Source, below, sources
from dlx.data.storage import Storage, fits_in_memory
from dlx.errors import RequestError

log = logging.getLogger(__name__)
Pixels = Annotated[int, Field(ge=1)]


@sources.register("image_folder")
def image_folder(
    root: Path,
    *,
    path: str = ".",
    size: Pixels | tuple[Pixels, Pixels] | None = None,
    mode: Mode = "rgb",
    cache: bool = True,
    storage: Storage = "auto",
) -> Source:
    """Read `<class>/<image>` or `train/<class>/<image>` below root / path as [N, C, H, W] uint8.

    `size` (a side, or height and width) resizes every image; with None, all must have the same size.
    `storage`: where the decoded images are during training; `auto`: in memory if they are small for it.
    Raises RequestError for an image that cannot be read or has another size, for a class without images, and
    if images that are to be in memory do not fit; OSError if the disk is full.
    """
    if storage == "disk" and not cache:
        raise RequestError("data.storage=disk: the decoded images stay in dlx's cache; set data.cache=true")
    folder = below(root, path)
    classes, parts = list_images(folder)
    files = [file for part in parts if part for file, _ in part]
    side = (size, size) if isinstance(size, int) else size or image_size(folder / files[0])
    too_large = not fits_in_memory(decoded_bytes(len(files), side, mode))
    on_disk = storage == "disk" or (storage == "auto" and cache and too_large)
    if not on_disk:
        check_memory(len(files), side, mode)
    if skipped := skipped_files(folder, files):
        log.warning(
            "data.path: %s skipped below %s, for example %s; images are read once, and with an ending that "
            "Pillow knows",
            *("1 file is" if len(skipped) == 1 else f"{len(skipped)} files are", folder, skipped[0]),
        )
    blocks = partial(decode, folder, files, side, mode, resize=size is not None)
    shape = (len(files), len(PILLOW_MODES[mode]), *side)
    if cache:
        settings = [size, mode, "upright"]
        expected = fingerprint(folder, files, settings)
        images = cached(folder, settings, expected, shape, blocks, on_disk=on_disk)
    else:
        images = torch.from_numpy(collect(blocks(), shape))
    arrays, start = [], 0
    for part in parts:
        labels = torch.tensor([label for _, label in part or ()])
        arrays.append(Arrays(images[start : start + len(labels)], labels) if part else None)
        start += len(labels)
    train, validation, test = arrays
    assert train is not None, "list_images refuses a folder without training images"
    return Source(classes, train, validation, test, white=255.0)
