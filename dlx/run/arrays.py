"""Compressed NumPy arrays, in .npz files as `numpy.savez_compressed` writes them.

Sizes are checked before memory is taken for them: an .npz of 3 MB can unpack to 3 GB, and its header can
claim any shape.
"""

import io
import math
import struct
import tokenize
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from dlx.run.documents import shorten
from dlx.run.files import ARRAYS_LIMIT, open_regular, write_size
from dlx.run.paths import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMBERS = 100  # arrays in a file
NUMBERS = "biuf"  # kinds of dtype: no Python objects, no records, no text
END = struct.Struct(
    "<4s16x4s4H2LH"
)  # of a zip: a locator (zip64), a signature, counts, size and place of the list

# What zipfile and numpy.lib.format raised for files with flipped bits and for made-up headers. RuntimeError
# is a password or an unknown method, OSError a place outside of the file.
DAMAGE = (
    *(
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        OSError,
        RuntimeError,
        OverflowError,
        MemoryError,
        SyntaxError,
    ),
    *(BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write a compressed .npz atomically."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path, names: Sequence[str], limit: int = ARRAYS_LIMIT) -> "list[NDArray[Any]] | None":
    """Return the arrays called `names`, which are read-only numbers; None if there is no file.

    Raises ValueError, with the file's name, if it is not an .npz, lacks an array, fails zip's checksums, or
    takes more than `limit` bytes, packed or unpacked.
    """
    try:
        file = open_regular(path, limit)
    except FileNotFoundError:
        return None
    with file:
        try:
            return _read(file, names, limit)
        except DAMAGE as error:
            raise ValueError(f"{path}: {shorten(error) or type(error).__name__}") from error


def _read(file: BinaryIO, names: Sequence[str], limit: int) -> "list[NDArray[Any]]":
    _check_members(file)
    arrays: list[NDArray[Any]] = []
    with ZipFile(file) as archive:
        for name in names:
            arrays.append(_read_array(archive, name, sum(array.nbytes for array in arrays), limit))
    return arrays


def _check_members(file: BinaryIO) -> None:
    """Raise ValueError if the zip lists many members: `ZipFile` takes memory for each before it says so."""
    file.seek(-END.size, io.SEEK_END)
    locator, signature, *_, members, size, _, comment = END.unpack(file.read())
    if signature != b"PK\5\6" or comment or locator == b"PK\6\7":
        raise BadZipFile("the end is not that of an .npz")
    if members > MEMBERS or size > MEMBERS * 1000:
        raise ValueError(f"more than {MEMBERS} arrays")


def _read_array(archive: ZipFile, name: str, taken: int, limit: int) -> "NDArray[Any]":
    """Read the member `name`.npy, which may unpack to what is not `taken` of `limit` bytes."""
    import numpy as np

    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # NumPy's; zipfile unpacks others without bound
        raise ValueError(f"{name} is packed in an unusual way")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"{name} has a header of version {version}, not 1.0")
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(member)
        if dtype.kind not in NUMBERS or min(shape, default=0) < 0:
            raise ValueError(f"{name} holds {shorten(dtype)} in shape {shorten(shape)}, not numbers")
        size = math.prod(shape) * dtype.itemsize
        if taken + size > limit:
            unpacked = write_size(taken + size)
            raise ValueError(f"unpacks to {unpacked} or more, more than the limit of {write_size(limit)}")
        content = member.read(size + 1)  # one more: at the end of a member zipfile compares its checksum
    if len(content) != size:
        raise ValueError(
            f"{name} has {'more' if len(content) > size else 'fewer'} bytes than its header says"
        )
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")
