"""The user's own images in class folders. Axes: N images, C channels, H height, W width."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field

from dlx.data.image_arrays import Mode, cached, check_memory, decode, fingerprint, image_size
from dlx.data.image_files import list_images, skipped_files
from dlx.data.source import Arrays, Source, below, sources

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
) -> Source:
    """Read `<class>/<image>` or `train/<class>/<image>` below root / path as [N, C, H, W] uint8.

    `size` (a side, or height and width) resizes every image; with None, all must have the same size. Raises
    RequestError for an image that cannot be read or has another size, for a class without images, and if the
    images do not fit into memory.
    """
    folder = below(root, path)
    classes, parts = list_images(folder)
    files = [file for part in parts if part for file, _ in part]
    shape = (size, size) if isinstance(size, int) else size or image_size(folder / files[0])
    check_memory(len(files), shape, mode)
    decode_all = partial(decode, folder, files, shape, mode, resize=size is not None)
    if skipped := skipped_files(folder, files):
        log.warning(
            "data.path: %s skipped below %s, for example %s; images are read in <class>/ with an ending "
            "that Pillow knows",
            *("1 file is" if len(skipped) == 1 else f"{len(skipped)} files are", folder, skipped[0]),
        )
    settings = [size, mode, "upright"]
    images = torch.from_numpy(
        cached(folder, settings, fingerprint(folder, files, settings), decode_all) if cache else decode_all()
    )
    images_of_parts = torch.split(images, [len(part or ()) for part in parts])
    train, validation, test = (
        Arrays(own_images, torch.tensor([label for _, label in part])) if part else None
        for part, own_images in zip(parts, images_of_parts, strict=True)
    )
    assert train is not None, "list_images refuses a folder without training images"
    return Source(classes, train, validation, test, white=255.0)
