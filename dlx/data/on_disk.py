"""Samples that stay in a file: rows of an array in an .npz file, read batch by batch.

Rows are read with `preadv`, which took as long as a memory map (20 us for 224x224x3 pixels). Unlike mapped
pages, they do not count as memory of the process, and a faulty disk raises an exception instead of a SIGBUS.

Axes: M rows of the file, N samples, B of a batch.
"""

import errno
import math
import os
import struct
import weakref
import zipfile
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from dlx.errors import RequestError

LOCAL_HEADER = 30  # bytes of a zip member's header before its name; the last four are two lengths
PIECE = 1 << 20  # bytes read at a time to compare the checksum


class ArrayFile:
    """A uint8 array [M, ...] in an uncompressed .npz file, open for reading rows of it."""

    def __init__(self, path: Path, name: str) -> None:
        """Open the array `name`, after comparing its content with the file's CRC-32 (2 GB/s).

        Raises ValueError for an array that is not uint8, in C order and uncompressed, and zipfile.BadZipFile,
        KeyError or OSError for a damaged file.
        """
        self.path = path
        with path.open("rb") as file:
            self._start, self.shape = _find(file, name)
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self._version = self._size_and_time()

    def read(self, rows_B: list[int]) -> Tensor:
        """Return these rows, [B, ...]. Raises RequestError if the file has changed since it was opened."""
        images = np.empty((len(rows_B), *self.shape[1:]), np.uint8)
        sizes = [
            os.preadv(self._descriptor, [image], self._start + row * image.nbytes)
            for image, row in zip(images, rows_B, strict=True)
        ]
        if self._size_and_time() != self._version:
            raise RequestError(f"{self.path} was changed while it was in use; give the command again")
        if sum(sizes) != images.nbytes:
            raise OSError(errno.EIO, "less could be read than was written", str(self.path))
        return torch.from_numpy(images)

    def _size_and_time(self) -> tuple[int, int]:
        stat = os.fstat(self._descriptor)
        return stat.st_size, stat.st_mtime_ns


def _find(file: BinaryIO, name: str) -> tuple[int, tuple[int, ...]]:
    """Return where the array's first value is in an .npz file, and its shape."""
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name} is compressed; write it with numpy.savez")
        with archive.open(member) as content:
            shape, fortran, dtype = _read_header(content)
            before = content.tell()
            if dtype != np.uint8 or fortran or not shape:
                order = "Fortran" if fortran else "C"
                raise ValueError(f"{name} is {dtype} in {order} order; it needs to be uint8 in C order")
            if before + math.prod(shape) != member.file_size:
                raise zipfile.BadZipFile(f"{name} does not have the size of its shape {shape}")
            while content.read(PIECE):
                pass  # at the end, zipfile compares the checksum
        file.seek(member.header_offset)
        lengths = struct.unpack("<HH", file.read(LOCAL_HEADER)[-4:])
        return member.header_offset + LOCAL_HEADER + sum(lengths) + before, shape


def _read_header(content: IO[bytes]) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    if np.lib.format.read_magic(content) == (1, 0):
        return np.lib.format.read_array_header_1_0(content)
    return np.lib.format.read_array_header_2_0(content)


class OnDisk:
    """Samples [N, ...], uint8, that are rows of a file. To select among them reads nothing; `read` does.

    It selects as a tensor does, so splitting data is one code for both.
    """

    dtype = torch.uint8

    def __init__(
        self,
        file: ArrayFile,
        rows_N: Tensor | None = None,
        shape: tuple[int, ...] = (),
        *,
        channels_last: bool = False,
    ) -> None:
        """Take the rows `rows_N`, by default all; `shape`: of a sample, by default as in the file.

        `channels_last`: the file has [M, H, W, C], of which samples [N, C, H, W] are made as they are read.
        """
        self._file = file
        self._rows_N = torch.arange(file.shape[0]) if rows_N is None else rows_N
        self._sample = shape or file.shape[1:]
        self._channels_last = channels_last

    def __len__(self) -> int:
        return len(self._rows_N)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the samples would have as a tensor."""
        return (len(self), *self._sample)

    @property
    def nbytes(self) -> int:
        """The bytes of memory that this takes: the numbers of the rows."""
        return self._rows_N.nbytes

    def __getitem__(self, index: slice | Tensor) -> "OnDisk":
        """Return some of the samples, on disk as well."""
        rows_B = self._rows_N[index if isinstance(index, slice) else index.cpu()]
        return self._of(rows_B)

    def index_select(self, axis: int, index_B: Tensor) -> "OnDisk":
        """Return the samples at these indices, on disk as well."""
        assert axis == 0, "samples are the first axis"
        return self[index_B]

    def unsqueeze(self, axis: int) -> "OnDisk":
        """Return the samples with an axis of length 1 in front of their own."""
        assert axis == 1, "samples are the first axis"
        return OnDisk(self._file, self._rows_N, (1, *self._sample))

    def channels_first(self) -> "OnDisk":
        """Return images that the file has as [H, W, C] as [C, H, W]."""
        height, width, channels = self._sample
        return OnDisk(self._file, self._rows_N, (channels, height, width), channels_last=True)

    def in_order_of_file(self) -> "OnDisk":
        """Return the same samples in the order in which they are read fastest."""
        return self._of(self._rows_N.sort().values)

    def read(self) -> Tensor:
        """Return the samples, [N, ...], in memory."""
        stored = self._file.read(self._rows_N.tolist())
        return stored.permute(0, 3, 1, 2).contiguous() if self._channels_last else stored.view(self.shape)

    def _of(self, rows_B: Tensor) -> "OnDisk":
        return OnDisk(self._file, rows_B, self._sample, channels_last=self._channels_last)


Samples = Tensor | OnDisk


def in_memory(inputs: Samples) -> Tensor:
    """Return samples that can be computed with: those on disk are read."""
    return inputs.read() if isinstance(inputs, OnDisk) else inputs
