"""Records what a request ran on: the user's own source files, the state of git, the versions of packages.

Each thing is a file of the study's `.study/source/`, named by its content, so that equal ones are kept once:

    nets/blocks-3f786850e387550f.py   a source file of the user's module
    packages-89e6c98d92887913.txt     the installed packages, as `pip freeze` writes them
    changes-2346ad27d7568ba9.patch    what was not committed: `git apply` brings it back
"""

import functools
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from dlx.own.sources import own_sources
from dlx.run.files import make_folder
from dlx.run.identity import CONTENT
from dlx.run.paths import write_atomically

SECONDS = 3.0  # for each of two calls of git: a large repository on a slow disk is not waited for
LARGEST_PATCH = 1 << 20  # bytes


def record_source(folder: Path, targets: Iterable[str]) -> dict[str, Any]:
    """Write what is not yet in `folder`, a study's, and return what a request says of it.

    `targets`: each `target` of the request's runs. `commit` is None outside a git repository, and
    where git does not answer; `patch` if nothing had changed since, or more than a patch should hold.
    """
    make_folder(folder.parent.parent, folder.parent.name, folder.name)
    for target in targets:
        for name, source in own_sources(target).items():
            _keep(copy_of(folder, name, source.fingerprint), source.content)
    record: dict[str, Any] = {"packages": _named(folder, "packages", "txt", _packages())}
    record["commit"] = commit = (_git("rev-parse", "HEAD") or b"").decode().strip() or None
    # Neither programs that the repository names nor colours: the patch is to be applied.
    plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--binary")
    changes = _git("diff", *plain, "HEAD") if commit else None
    record["patch"] = _named(folder, "changes", "patch", changes) if changes else None
    return record


def copy_of(folder: Path, name: str, fingerprint: str) -> Path:
    """Return where in `folder` the copy of a source file is, by its name and fingerprint."""
    path = Path(name)
    return folder / path.parent / f"{path.stem}-{fingerprint.removeprefix(CONTENT)[:16]}{path.suffix}"


def _named(folder: Path, name: str, suffix: str, content: bytes) -> str:
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"
    _keep(path, content)
    return path.name


def _keep(path: Path, content: bytes) -> None:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)


@functools.cache
def _packages() -> bytes:
    found = {_pinned(each) for each in distributions()}
    return "".join(f"{line}\n" for line in sorted(found, key=str.lower)).encode()


def _pinned(package: Distribution) -> str:
    """Return name==version. The package's own properties parse its whole description, twice: 1 ms."""
    headers, _, _ = (package.read_text("METADATA") or "").partition("\n\n")
    found = dict(re.findall(r"^(Name|Version): *(\S+)[ \t]*$", headers, re.MULTILINE))
    return f"{found.get('Name') or package.name}=={found.get('Version') or package.version}"


def _git(*words: str) -> bytes | None:
    """Return what git prints of the current folder's project; None if it fails, is slow, or prints a lot.

    It asks nothing, starts no monitor of the files and takes no lock.
    """
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    with tempfile.TemporaryFile() as printed:
        try:
            subprocess.run(  # noqa: S603 - the words are those of this file
                ["git", "-c", "core.fsmonitor=false", *words],  # noqa: S607 - the user's own git
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.DEVNULL,
                env=os.environ | quiet,
                timeout=SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        printed.seek(0)
        content = printed.read(LARGEST_PATCH + 1)
    return content if len(content) <= LARGEST_PATCH else None
