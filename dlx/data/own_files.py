"""Identifies the user's own arrays and images by their content, or by sizes and times where there is much.

It does not import torch, because a finished run is recognised without it.
"""

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dlx.config import DataSettings
from dlx.data.array_names import array_files
from dlx.data.huggingface_files import find_parts, is_saved_dataset
from dlx.data.image_files import list_images
from dlx.data.source import below, data_root
from dlx.errors import RequestError
from dlx.run.identity import CONTENT
from dlx.run.paths import cache_root, write_atomically

# Read at 0.5 to 1.5 GB/s, this much takes under half a second a request.
MOST_READ = 256 << 20  # bytes
REMEMBERED = 1 << 20  # bytes from which a content's hash is kept in the cache: reading less is as fast


def data_fingerprints(data: DataSettings) -> dict[str, str]:
    """Return the fingerprint of the files or folder that a data set reads, by its name.

    A folder's name ends in a slash. Nothing for data that is not the user's own, and for a file that does not
    exist, which reading it will say. The files are looked at once, until `forget_data`.
    """
    path = data.arguments.get("path")
    if not isinstance(path, str):
        return {}
    return _fingerprints(*_location(data, path))


def check_unchanged(data: DataSettings) -> None:
    """Raise RequestError if the files, just read, are not what `data_fingerprints` saw."""
    for name, fingerprint in data_fingerprints(data).items():
        now = _fingerprints.__wrapped__(*_location(data, data.arguments["path"]))
        if now.get(name) != fingerprint:
            raise RequestError(f"data.path: {name} was changed while it was in use; give the command again")


def forget_data() -> None:
    """Let the next `data_fingerprints` look at the files again."""
    _fingerprints.cache_clear()


def sizes_and_times(folder: Path, files: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each file's name below `folder`, its bytes and its modification time in ns."""
    return [(file, stat.st_size, stat.st_mtime_ns) for file, stat in _stats(folder, files)]


def _stats(folder: Path, files: Sequence[str]) -> list[tuple[str, os.stat_result]]:
    return [(file, (folder / file).stat()) for file in files]


def _location(data: DataSettings, path: str) -> tuple[Path, str, bool, str | None]:
    """Return the root, the path, whether images are read, and the file of the labels beside a .npy file."""
    labels = data.arguments.get("labels") if data.name == "npz" else None
    root = data_root(data.root, own=True)
    return root, path, data.name == "image_folder", labels if isinstance(labels, str) else None


@functools.cache
def _fingerprints(root: Path, path: str, images: bool, labels: str | None) -> dict[str, str]:
    try:
        found = below(root, path).resolve()
        if not images and found.is_dir():
            arrays = [file.name for file in array_files(found).values()]
            if not arrays and is_saved_dataset(found):
                parts = find_parts(found).values()
                arrays = [file.relative_to(found).as_posix() for files in parts for file in files]
            return {f"{found.name}/": _fingerprint(found, arrays, named=True)} if arrays else {}
        if not images and not found.is_file():  # a pipe would be waited for
            return {}
        if not images:
            names = [file.name for file in array_files(found, labels).values()] or [found.name]
            return {name: _fingerprint(found.parent, [name], named=False) for name in names}
        files = [file for part in list_images(found)[1] for file, _ in part or ()]
        return {f"{found.name}/": _fingerprint(found, files, named=True)}
    except (RequestError, OSError):
        return {}


def _fingerprint(folder: Path, files: Sequence[str], *, named: bool) -> str:
    """Return a fingerprint of the files' contents, and of their names if these are `named` by their class."""
    stats = _stats(folder, files)
    total = sum(stat.st_size for _, stat in stats)
    if total > MOST_READ:
        return f"{total} bytes:{_hash([(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats])}"
    if total < REMEMBERED:
        return _content(folder, files, named=named)
    # The time of a change of the inode, which no copy can set, tells a file that was put in another's place.
    kept = [(file, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for file, s in stats]
    cache = cache_root() / "fingerprints" / _hash([str(folder), kept])[:32]
    with suppress(OSError, UnicodeDecodeError):
        if (text := cache.read_text(encoding="utf-8")).startswith(CONTENT):
            return text
    content = _content(folder, files, named=named)
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, content.encode())
    return content


def _content(folder: Path, files: Sequence[str], *, named: bool) -> str:
    contents = [_content_of_file(folder / file) for file in files]
    hashed = contents[0] if not named else _hash(list(zip(files, contents, strict=True)))
    return CONTENT + hashed


def _content_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
