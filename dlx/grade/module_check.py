"""Checks the gradients of a student's own module, with `dlx check` in a process of its own.

This runs the student's code with the rights of whoever grades, so it is done only when asked for. The process
stands in the student's folder, so that `mynet:Net` is the class in their mynet.py.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlx.report.text import visible, write_names
from dlx.run.documents import read_json, shorten
from dlx.run.files import MEGABYTE

SECONDS = 120  # importing torch takes 3 to 10, a check of a small net one
NAMED = 3  # parameters in a sentence
HINT = re.compile(r"(; )?HYDRA_FULL_ERROR=1 shows \w+")  # for the module's author, not for a teacher


def check_module(folder: Path, words: Sequence[str], seconds: float = SECONDS) -> list[str]:
    """Run `dlx check` with these words in a folder; return the problems in sentences, if there are any."""
    with tempfile.TemporaryDirectory() as private:
        written = Path(private) / "gradients.json"
        command = [sys.executable, "-P", "-m", "dlx", "check", *words, "--json", str(written)]
        try:
            done = subprocess.run(  # noqa: S603 - dlx itself, with the assignment's words
                command,
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [f"the module's check took more than {seconds:g} seconds and was stopped"]
        if not written.is_file():
            return [f"the module cannot be checked: {_last_line(done.stderr)}"]
        try:
            return problems(read_json(written, MEGABYTE))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return [f"the module's check left no readable result: {shorten(error)}"]


def problems(report: dict[str, Any]) -> list[str]:
    """Return what is wrong with a module's gradients, from what `dlx check --json` writes."""
    wrong = [each["name"] for each in report["tensors"] if not each["passed"]]
    trained = [each for each in report["tensors"] if each["name"] != report["input"]]
    dead = [each["name"] for each in trained if each["largest"] == 0]
    infinite = [each["name"] for each in trained if each["largest"] is None]
    kinds = {
        "the gradient differs from finite differences": wrong,
        "the gradient is zero everywhere": dead,
        "the gradient is not finite": infinite,
    }
    return [f"{what}: {visible(write_names(names))}" for what, names in kinds.items() if names]


def _environment() -> dict[str, str]:
    """Return this process's environment; dlx itself is found where it was imported from."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines() or ["it ended without a message"]
    said = lines[-1].removeprefix("dlx check: ").removeprefix("error: ")
    return visible(shorten(HINT.sub("", said).replace(" ()", "")))
