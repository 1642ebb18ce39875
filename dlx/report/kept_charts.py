"""The charts of an earlier report: which files are its own, and which need not be drawn again.

Drawing is two thirds of a small report's time, and most reports are written again with charts that have not
changed. The SVG of each chart ends with a comment that seals it: a keyed hash of what it was drawn from and
of its three files. The page holds an SVG as it is, so the key is random and in the user's cache: a study from
somebody else has no valid seal.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from hmac import compare_digest
from importlib.metadata import version
from os import SEEK_END
from pathlib import Path

from dlx import __version__
from dlx.run.files import ARRAYS_LIMIT, open_regular, read_bytes
from dlx.run.paths import cache_root, write_atomically

KINDS = ("svg", "png", "pdf")
KEY_BYTES = 32
SEAL = b"<!-- drawn by dlx report, seal %s -->\n"
LENGTH = len(SEAL % b"") + 2 * KEY_BYTES
# At the end of a report's SVGs; those of earlier versions have no seal.
MARK = re.compile(rb"<!-- drawn by dlx report(, seal [0-9a-f]{64})? -->\n\Z")


def sealed(spec: str, files: Mapping[str, bytes]) -> bytes:
    """Return a chart's SVG with its seal. `files`: by kind; `spec`: what they were drawn from, as JSON."""
    return files["svg"] + b"\n" + SEAL % _hash(spec, files)


def kept_chart(path: Path, spec: str) -> dict[str, bytes] | None:
    """Return the files of a chart by kind, if an earlier report drew it from the same `spec`, else None.

    `path`: of the files, without their suffix.
    """
    try:
        files = {kind: read_bytes(path.with_name(f"{path.name}.{kind}"), ARRAYS_LIMIT) for kind in KINDS}
    except (OSError, ValueError):
        return None
    content, seal = files["svg"][:-LENGTH], files["svg"][-LENGTH:]
    files["svg"] = content.removesuffix(b"\n")
    return files if compare_digest(seal, SEAL % _hash(spec, files)) else None


def earlier_charts(folder: Path) -> Iterator[Path]:
    """Yield the files of an earlier report's charts: it may have drawn more. Other files are not ours."""
    for path in folder.glob("*.svg"):
        with suppress(OSError, ValueError), open_regular(path, ARRAYS_LIMIT) as file:
            file.seek(max(-LENGTH, -path.stat().st_size), SEEK_END)
            if MARK.search(file.read()):
                yield from (path.with_suffix(f".{kind}") for kind in KINDS)


def _hash(spec: str, files: Mapping[str, bytes]) -> bytes:
    drawn_by = f"{__version__} {version('vl-convert-python')}"
    hashed = blake2b(key=_key(), digest_size=KEY_BYTES)
    for part in (drawn_by.encode(), spec.encode(), *(files[kind] for kind in KINDS)):
        hashed.update(b"%d\n" % len(part) + part)
    return hashed.hexdigest().encode()


@cache
def _key() -> bytes:
    """Return the user's key. Where no cache can keep it, its seals are worth nothing to the next process."""
    kept = cache_root() / "charts.key"
    with suppress(OSError, ValueError):
        key = read_bytes(kept, KEY_BYTES)
        if len(key) == KEY_BYTES:
            return key
    key = os.urandom(KEY_BYTES)
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, key)
        kept.chmod(0o600)
    return key
