"""Arrays are read as they were written, and refused before they take more memory than they may."""

import bz2
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dlx.run.arrays import read_arrays, write_arrays

ARRAYS = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "by_columns": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(3, 2)),
    "labels": np.array([1, 2, 255], dtype=np.uint8),
    "epoch": np.array(7),
    "nothing": np.zeros((0, 4)),
}


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", **ARRAYS)
    read = read_arrays(tmp_path / "a.npz", list(ARRAYS))
    assert read is not None
    for back, array in zip(read, ARRAYS.values(), strict=True):
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)
    assert read_arrays(tmp_path / "none.npz", []) is None


def packed(path: Path, header: str, content: bytes, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an .npz with one array, `a`, whose header may say anything."""
    text = header.ljust(117).encode() + b"\n"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content)
    return path


def header(descr: str = "'<f8'", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


@pytest.mark.parametrize(
    ("said", "content", "words"),
    [
        (header(), bytes(8), "a has fewer bytes than its header says"),
        (header(), bytes(24), "a has more bytes than its header says"),
        (
            header(shape="(1000000000, 1000000)"),
            b"",
            "unpacks to 8e.06 GB or more, more than the limit of 1 MB",
        ),
        (header(shape="(-2,)"), bytes(16), "not numbers"),
        (header(descr="[('x', '<f8')]"), bytes(16), "not numbers"),
        (header(descr="'|O'"), bytes(16), "not numbers"),
        (header(descr="'<U100'"), bytes(800), "not numbers"),
        (header(descr="'nonsense'"), bytes(16), "a.npz: "),
        (header(shape="(((((("), bytes(16), "a.npz: "),
        ("(" * 100, bytes(16), "a.npz: "),
        ("1j", bytes(16), "a.npz: "),
        ("'''", bytes(16), "a.npz: "),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, said: str, content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_arrays(packed(tmp_path / "a.npz", said, content), ["a"], 1_000_000)


def test_what_unpacks_to_more_takes_no_memory(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.npz", header(), bytes(50_000_000))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more bytes than its header says"):
            read_arrays(path, ["a"], 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_arrays_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", a=np.zeros(600), b=np.zeros(600))
    assert read_arrays(tmp_path / "a.npz", ["a", "b"], 9600) is not None
    with pytest.raises(ValueError, match=r"unpacks to 9.6 kB or more, more than the limit of 9.59 kB"):
        read_arrays(tmp_path / "a.npz", ["a", "b"], 9590)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_unpacks_without_bound_is_refused(tmp_path: Path, compression: int) -> None:
    path = packed(tmp_path / "a.npz", header(), bytes(16), compression)
    with pytest.raises(ValueError, match="a is packed in an unusual way"):
        read_arrays(path, ["a"])


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 100, bz2.compress(b"x" * 100), b"PK\5\6" + bytes(18)])
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz: "):
        read_arrays(tmp_path / "a.npz", ["a"])


def test_many_members_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for number in range(101):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(ValueError, match="more than 100 arrays"):
        read_arrays(tmp_path / "a.npz", ["1"])
