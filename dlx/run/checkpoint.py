"""Checkpoints: tensors and plain values only, so that they load with `weights_only=True`.

A run's `checkpoint.pt` holds the weights that it keeps; `result.json` has the file's SHA-256. A cohort that
is training has a checkpoint of its own in the study, from which it goes on after whatever ended its process.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from dlx.run.documents import shorten
from dlx.run.files import CHECKPOINT_LIMIT, read_bytes
from dlx.run.paths import CHECKPOINT, write_atomically

FORMAT = 1  # of a cohort's checkpoint; another number is refused
HEADER = re.compile(rb"dlx checkpoint (\d+) ([0-9a-f]{64})\n")
LONGEST_HEADER = 100  # bytes


def write_checkpoint(folder: Path, content: dict[str, Any]) -> str:
    """Write `content` to `folder`/checkpoint.pt; return the file's SHA-256 (hex).

    It has the keys `model`, `epoch` and `identity`, and with keep=last `training` (see `Recorder.state`).
    """
    serialised = _serialised(content)
    write_atomically(folder / CHECKPOINT, serialised)
    return hashlib.sha256(serialised).hexdigest()


def read_checkpoint(folder: Path, sha256: str, limit: int = CHECKPOINT_LIMIT) -> dict[str, Any]:
    """Read `folder`/checkpoint.pt, of at most `limit` bytes, with its tensors on the CPU.

    Raises ValueError if the file's SHA-256 differs; torch itself does not notice most flipped bits.
    """
    path = folder / CHECKPOINT
    content = read_bytes(path, min(limit, CHECKPOINT_LIMIT))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path}: damaged (its SHA-256 differs from the one in result.json)")
    return _loaded(content, path)


class CohortCheckpoint:
    """The newest checkpoint of a cohort that is training, and the one before, as <stem>.0.pt and <stem>.1.pt.

    The older of the two is replaced, so that the newer is whole whatever happens while it is written.
    """

    def __init__(self, stem: Path) -> None:
        self._files = [stem.with_name(f"{stem.name}.{slot}.pt") for slot in (0, 1)]
        self._newest: Path | None = None

    def write(self, content: dict[str, Any]) -> None:
        """Write `content`, which has the key `epoch`, beside the newest checkpoint."""
        if self._newest is None:
            self._newest = next((file for file, _ in self._readable([])), self._files[1])
        older = self._files[1 - self._files.index(self._newest)]
        serialised = _serialised(content)
        header = f"dlx checkpoint {FORMAT} {hashlib.sha256(serialised).hexdigest()}\n".encode()
        older.parent.mkdir(exist_ok=True)  # raises if the study has been taken away
        write_atomically(older, header + serialised)
        self._newest = older

    def read(self, damaged: list[str]) -> Iterator[dict[str, Any]]:
        """Yield what is readable, the newest first; add a sentence to `damaged` for each file that is not."""
        for _, content in self._readable(damaged):
            yield content

    def delete(self) -> None:
        """Remove the files, and their folder if it is empty then."""
        for file in self._files:
            file.unlink(missing_ok=True)
        self._newest = None
        folder = self._files[0].parent
        if folder.is_dir() and not any(folder.iterdir()):
            try:
                folder.rmdir()
            except OSError:
                return  # another cohort's checkpoint has just come into it

    def _readable(self, damaged: list[str]) -> list[tuple[Path, dict[str, Any]]]:
        found = []
        for file in self._files:
            try:
                found.append((file, _read_with_header(file)))
            except FileNotFoundError:
                continue
            except ValueError as error:
                damaged.append(str(error))
        return sorted(found, key=lambda each: -int(each[1]["epoch"]))


def _read_with_header(file: Path) -> dict[str, Any]:
    content = read_bytes(file, CHECKPOINT_LIMIT)
    header = HEADER.match(content[:LONGEST_HEADER])
    if header is None:
        raise ValueError(f"{file}: damaged (it does not begin as a checkpoint does)")
    if int(header[1]) != FORMAT:
        raise ValueError(f"{file}: written by another version of dlx (format {int(header[1])}, not {FORMAT})")
    serialised = content[header.end() :]
    if hashlib.sha256(serialised).hexdigest().encode() != header[2]:
        raise ValueError(f"{file}: damaged (its SHA-256 differs from the one in its first line)")
    return _loaded(serialised, file)


def _serialised(content: dict[str, Any]) -> bytes:
    """Return a file's bytes; in memory first, because torch.save leaves a partial file on a full disk."""
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _loaded(serialised: bytes, file: Path) -> dict[str, Any]:
    import torch

    try:
        with ZipFile(io.BytesIO(serialised)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked <= len(serialised):  # torch.save packs nothing, but torch.load would unpack it
            loaded: dict[str, Any] = torch.load(io.BytesIO(serialised), map_location="cpu", weights_only=True)
            return loaded | {"epoch": int(loaded["epoch"])}
    except Exception as error:  # unpickling raises whatever a damaged file makes it
        raise ValueError(f"{file}: damaged ({shorten(error)})") from error
    raise ValueError(f"{file}: damaged (it is packed)")
