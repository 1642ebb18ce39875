"""Runs work in forked processes, over a copy of the repository."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
IMPORTED = ("torch", "pandas", "scipy.special", "pydantic", "pytest", "coverage")


def copy_repository(folder: Path) -> None:
    """Copy the files that git knows or would add."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)


def prepare(folder: Path, temporary: Path) -> None:
    """Import the libraries but not dlx, which forks import from the copy in `folder`."""
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder), "TMPDIR": str(temporary)}
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant may have its original's size and time
    sys.dont_write_bytecode = True
    sys.path[:] = [str(folder), *(path for path in sys.path if Path(path or ".").resolve() != REPOSITORY)]
    for module in IMPORTED:
        importlib.import_module(module)
    assert "dlx" not in sys.modules
    for module in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[module]
    os.chdir(folder)


def in_fork(work: Callable[[], Any], limit_s: float) -> Any:
    """Return what `work` returns in a forked process; None if it dies or takes longer than the limit.

    Processes that it leaves behind are killed.
    """
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        _answer(work, send)
    os.close(send)
    os.set_blocking(receive, False)
    text, end = b"", time.monotonic() + limit_s
    try:
        with os.fdopen(receive, "rb") as pipe:
            while not os.waitpid(child, os.WNOHANG)[0]:
                text += pipe.read() or b""
                if time.monotonic() > end:
                    os.killpg(child, signal.SIGKILL)
                time.sleep(0.01)
            text += pipe.read() or b""
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    return json.loads(text) if text else None


def _answer(work: Callable[[], Any], send: int) -> None:
    result = None
    try:
        os.setsid()
        result = work()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        with os.fdopen(send, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
