"""The files of a published data set: find them, check every byte, download what is not there.

Reading takes no lock and writes nothing, so a read-only folder of complete files will do. Only a
download takes a lock, and many processes that start at once make one download.
"""

import errno
import gzip
import hashlib
import shutil
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dlx.errors import RequestError

Bytes = NDArray[np.uint8]
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Archive:
    """One download: `path` is where torchvision keeps it below the root; `urls` are tried in turn."""

    path: str
    sha256: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """A data set's files in `folder` below the root, name to "sha256:..." or "md5:...", and their source."""

    name: str
    folder: str
    checksums: dict[str, str]
    archives: tuple[Archive, ...]


def read(published: Published, root: Path) -> dict[str, Bytes]:
    """Return the content of every file [bytes], checked against its checksum.

    Raises RequestError if files are missing or damaged and cannot be downloaded, OSError if the disk is
    full.
    """
    contents, wrong = _read(published, root)
    return _fetch(published, root) if wrong else contents


def _read(published: Published, root: Path) -> tuple[dict[str, Bytes], dict[str, str]]:
    contents: dict[str, Bytes] = {}
    wrong: dict[str, str] = {}
    for name, checksum in published.checksums.items():
        algorithm, _, expected = checksum.partition(":")
        try:
            content = np.fromfile(root / published.folder / name, dtype=np.uint8)
        except OSError as error:
            wrong[name] = "missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
            continue
        if hashlib.new(algorithm, content.data, usedforsecurity=False).hexdigest() == expected:
            contents[name] = content
        else:
            wrong[name] = "damaged"
    return contents, wrong


def _fetch(published: Published, root: Path) -> dict[str, Bytes]:
    from filelock import FileLock

    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{published.name}.lock"):
            contents, wrong = _read(published, root)  # another process may have been here
            if wrong:
                _download(published, root, wrong)
                contents, wrong = _read(published, root)
    except (OSError, ValueError, NotImplementedError) as error:
        # requests' errors are OSErrors, pooch's wrong checksum is a ValueError, a file system without
        # locks is a NotImplementedError of filelock's.
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise  # the disk is full, which nothing in the request can put right
        _, wrong = _read(published, root)
        raise _absent(published, root, wrong, str(error)) from error
    if wrong:
        raise _absent(published, root, wrong, "the archives do not hold these files as published")
    return contents


def _download(published: Published, root: Path, wrong: dict[str, str]) -> None:
    for archive in published.archives:
        path = root / archive.path
        if path.suffixes[-2:] != [".tar", ".gz"] and path.stem not in wrong:
            continue
        was_there = path.exists()
        _retrieve(archive, path)
        _unpack(path, root / published.folder)
        if not was_there:
            path.unlink()


def _retrieve(archive: Archive, path: Path) -> None:
    """Have the archive at `path`, checked; one that is there already is not downloaded again."""
    import pooch

    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS, chunk_size=1 << 20)
    for url in archive.urls:
        last = url == archive.urls[-1]
        try:
            pooch.retrieve(
                url, f"sha256:{archive.sha256}", fname=path.name, path=path.parent, downloader=downloader
            )
        except (OSError, ValueError) as error:
            # The disk's errors carry a number, requests' do not; another mirror helps with the latter only.
            if last or getattr(error, "errno", None) is not None:
                raise
        else:
            return


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if archive.suffixes[-2:] != [".tar", ".gz"]:
        with gzip.open(archive) as unpacked:
            _write(folder / archive.stem, unpacked)
        return
    with tarfile.open(archive) as members:
        for member in members:
            parent, _, name = member.name.rpartition("/")
            # Only the plain files of the one folder, by their last name: nothing can land elsewhere.
            content = members.extractfile(member) if parent == folder.name and member.isfile() else None
            if content is not None:
                _write(folder / name, content)


def _write(path: Path, content: IO[bytes] | gzip.GzipFile) -> None:
    """Write all of it or nothing: an interrupted download leaves no half file under the final name."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as target:
            shutil.copyfileobj(content, target, 1 << 20)
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _absent(published: Published, root: Path, wrong: dict[str, str], why: str) -> RequestError:
    files = ", ".join(name if what == "missing" else f"{name} ({what})" for name, what in wrong.items())
    archives = ", ".join(archive.path for archive in published.archives)
    reason = " ".join(why.split())
    return RequestError(
        f"data.name={published.name}: {root / published.folder} lacks {files}; put them there, or the "
        f"archives below {root} as {archives}, or set data.root to the folder that holds {published.folder}, "
        f"or run 'dlx data prepare {published.name}' where there is a network (the download failed: "
        f"{reason[:160]})"
    )
