"""Reads the files of a published data set, checks every byte, and downloads missing files.

Reading takes no lock and writes nothing, so a read-only folder of complete files is enough. A download takes
a lock, so only one of several processes downloads.
"""

import errno
import gzip
import hashlib
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlx.errors import RequestError

Bytes = NDArray[np.uint8]
TIMEOUT_SECONDS = 30
LARGEST_FILE = 100 << 20  # bytes; MNIST's training images are 47 MB


@dataclass(frozen=True)
class Published:
    """A data set's files in `folder` below the root, the archives with these files, and their mirrors.

    `files` and `archives` map a name to "sha256:..." or "md5:...". Archives are named by their path below the
    root, as torchvision places them. `mirrors` are base URLs, tried in turn.
    """

    name: str
    folder: str
    files: dict[str, str]
    archives: dict[str, str]
    mirrors: tuple[str, ...]


def read_files(published: Published, root: Path) -> dict[str, Bytes]:
    """Return the content of every file by name [bytes], after comparing it with its checksum.

    Raises RequestError if files are missing or damaged and cannot be downloaded, OSError if the disk is full.
    """
    contents, wrong = _read(published, root)
    return _fetch(published, root) if wrong else contents


def _read(published: Published, root: Path) -> tuple[dict[str, Bytes], dict[str, str]]:
    """Return the contents of the good files, and the reason why each of the others is unusable."""
    contents: dict[str, Bytes] = {}
    wrong: dict[str, str] = {}
    for name, checksum in published.files.items():
        algorithm, _, expected = checksum.partition(":")
        path = root / published.folder / name
        try:
            if path.stat().st_size > LARGEST_FILE or (path.exists() and not path.is_file()):
                wrong[name] = "damaged"
                continue
            content = np.fromfile(path, dtype=np.uint8)
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

    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{published.name}.lock"):
            contents, wrong = _read(published, root)  # another process may have downloaded them
            if wrong:
                _download(published, root, wrong)
                contents, wrong = _read(published, root)
    except (OSError, ValueError, NotImplementedError) as error:
        # An OSError of requests, pooch's ValueError for a wrong checksum, or filelock's NotImplementedError
        # on a file system without locks.
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise  # the disk is full: no change to the request would help
        _, wrong = _read(published, root)
        _remove_empty(published, root, made)
        raise _absent(published, root, wrong, str(error)) from error
    if wrong:
        raise _absent(published, root, wrong, "the archives do not contain these files as published")
    return contents


def _remove_empty(published: Published, root: Path, made: list[Path]) -> None:
    """Remove the folders that were made for a download which failed, unless something is in them."""
    with suppress(OSError):  # the first that is not empty ends it
        if root in made:
            (root / f".{published.name}.lock").unlink(missing_ok=True)
            for folder in (root / published.folder, *(root / published.folder).parents):
                if folder != root and folder.is_relative_to(root) and folder.exists():
                    folder.rmdir()
        for folder in made:
            folder.rmdir()


def _download(published: Published, root: Path, wrong: dict[str, str]) -> None:
    """Unpack the archives of the files that are wrong, after downloading missing archives.

    A half-written file does no harm: every byte is checked when it is read, and it is then unpacked again.
    """
    folder = root / published.folder
    folder.mkdir(parents=True, exist_ok=True)
    for path in published.archives:
        archive, is_tar = root / path, path.endswith(".tar.gz")
        if not is_tar and archive.stem not in wrong:
            continue
        was_there = archive.exists()
        _retrieve(published, root, path)
        if is_tar:
            _untar(archive, folder)
        else:
            (folder / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))
        if not was_there:
            archive.unlink()


def _retrieve(published: Published, root: Path, path: str) -> None:
    """Download the archive, unless it exists, from the first mirror that has it; pooch checks it."""
    import pooch

    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS, chunk_size=1 << 20)
    for mirror in published.mirrors:
        urls = {path: f"{mirror}/{Path(path).name}"}
        archives = pooch.create(root, base_url="", registry=published.archives, urls=urls)
        try:
            archives.fetch(path, downloader=downloader)
        except (OSError, ValueError) as error:
            # Disk errors have an errno, and another mirror does not help; errors of requests have none.
            if mirror == published.mirrors[-1] or getattr(error, "errno", None) is not None:
                raise
        else:
            return


def _untar(archive: Path, folder: Path) -> None:
    """Write the archive's plain files from the folder of that name; nothing can be written elsewhere."""
    with tarfile.open(archive) as members:
        for member in members:
            parent, _, name = member.name.rpartition("/")
            content = members.extractfile(member) if parent == folder.name and member.isfile() else None
            if content is not None:
                (folder / name).write_bytes(content.read())


def _absent(published: Published, root: Path, wrong: dict[str, str], why: str) -> RequestError:
    files = ", ".join(name if what == "missing" else f"{name} ({what})" for name, what in wrong.items())
    reason = " ".join(why.split())
    return RequestError(
        f"data.name={published.name}: {root / published.folder} lacks {files}; set data.root to the folder "
        f"that holds {published.folder}. Without a network, run 'dlx data prepare {published.name} "
        f"data.root=FOLDER' where there is one, and copy FOLDER (the download failed: {reason[:160]})"
    )
