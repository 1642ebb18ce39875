"""Decides where samples are during training: on disk, in memory, or in memory as standardised floats.

No number of a run depends on it.
"""

import os
from typing import Literal

from dlx import device

Storage = Literal["auto", "memory", "disk"]
# uint8 samples in memory at once: those that were read and those that were split
COPIES = 2
# A split whose float copy is smaller is standardised once. A larger one stays raw (pixels take a quarter of
# the memory) and is standardised batch by batch.
FLOAT_COPY_BYTES = 1 << 30


def fits_in_memory(size: int) -> bool:
    """Say whether uint8 samples of so many bytes fit into memory, with the copies that are made of them."""
    return _fits_on_every_core(COPIES * size + min(4 * size, FLOAT_COPY_BYTES))


def keeps_floats(size: int) -> bool:
    """Say whether a split is standardised once, where its float copy takes so many bytes."""
    return size < FLOAT_COPY_BYTES and _fits_on_every_core(size)


def _fits_on_every_core(size: int) -> bool:
    """Say whether each core could have a process with so many bytes: runs may train side by side."""
    free = device.available_bytes()
    return free is None or size * (os.cpu_count() or 1) <= device.SAFE_SHARE * free
