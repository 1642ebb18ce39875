"""dlx from outside: `dlx train` as a user types it, whole commands on the clock."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from dlx.data.source import data_root
from tests.benchmarks.workers import Wall

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Command:
    """Words of `dlx train`, how many runs they ask for, and what they find in the current folder, by path."""

    words: tuple[str, ...]
    runs: int
    files: Mapping[str, str] = field(default_factory=dict)


def train(command: Command) -> Wall:
    """Run a command in a folder of its own, with an empty cache, and return its wall time.

    Raises RuntimeError for a command that fails or leaves other than its runs, with what it printed last.
    """
    with TemporaryDirectory() as folder:
        return train_in(Path(folder), command)


def train_in(folder: Path, command: Command) -> Wall:
    """Do the same in a folder that is kept, with its runs below outputs/.

    `training` is from the first run's start to the end of the last epoch of all; `start_up`, the rest, has in
    it what dlx measures to choose an engine.
    """
    for file, text in command.files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    whole = call(["-m", "dlx", "train", *command.words, "output_root=outputs"], folder)
    runs = [file.parent for file in folder.glob("outputs/*/*/history.csv")]
    if len(runs) != command.runs:
        raise RuntimeError(f"dlx train {' '.join(command.words)}: {len(runs)} runs, not {command.runs}")
    training = max((run / "history.csv").stat().st_mtime for run in runs) - min(map(_began, runs))
    return Wall(whole=whole, start_up=whole - training, training=training)


def _began(run: Path) -> float:
    """Return when a run was about to train: the time of the first line in its log, seconds of the epoch."""
    with (run / "train.log").open(encoding="utf-8") as log:
        return datetime.fromisoformat(log.readline()[: len("2026-11-21 12:00:00,000")]).timestamp()


def call(words: Sequence[str], folder: Path, *, code: int = 0) -> float:
    """Run this Python with these words in `folder`, which keeps its output and dlx's cache; return seconds.

    Raises RuntimeError with the last lines of its output for another exit code than `code`.
    """
    log = folder / "output.txt"
    with log.open("w", encoding="utf-8") as output:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seconds = time.perf_counter() - began
    if done.returncode != code:
        last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-5:])
        raise RuntimeError(f"python {' '.join(words)}: exit code {done.returncode}\n{last}")
    return seconds


def _environment(folder: Path) -> dict[str, str]:
    """Return the user's environment with these sources, an own cache, and compiled files as users have."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    data = str(data_root(None))  # as it is without an own cache
    return kept | {"PYTHONPATH": path, "DLX_CACHE": str(folder / "cache"), "DLX_DATA": data}


def knows(words: Sequence[str]) -> bool:
    """Whether dlx has the keys and choices that these words name."""
    with TemporaryDirectory() as folder:
        try:
            call(["-m", "dlx", "train", *words, "--cfg", "job"], Path(folder))
        except RuntimeError:
            return False
    return True
