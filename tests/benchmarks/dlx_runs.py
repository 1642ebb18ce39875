"""dlx from outside: `dlx train` as a user types it, whole commands on the clock."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.workers import Wall

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Command:
    """Words of `dlx train`, how many runs they ask for, and what they find in the current folder, by path."""

    words: tuple[str, ...]
    runs: int
    files: Mapping[str, str] = field(default_factory=dict)


def train(commands: Sequence[Command], *, at_once: int = 1) -> Wall:
    """Run the commands, so many at once, and return their wall time.

    `training` is the time in which at least one command was between its first run's start and the end of its
    last epoch; `start_up` is the rest.
    Raises RuntimeError for a command that fails or leaves other than its runs, with what it printed last.
    """
    with TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        work = Path(folder)
        began = time.perf_counter()
        running = [pool.submit(_run, command, work / str(i)) for i, command in enumerate(commands)]
        spans = [future.result() for future in running]
        whole = time.perf_counter() - began
    training = covered(spans)
    return Wall(whole=whole, start_up=whole - training, training=training)


def _run(command: Command, folder: Path) -> tuple[float, float]:
    """Run one command in a new folder; return when its first run began and its last epoch ended."""
    folder.mkdir()
    for name, text in command.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    call(["-m", "dlx", "train", *command.words, "output_root=outputs"], folder)
    runs = [file.parent for file in folder.glob("outputs/*/*/history.csv")]
    if len(runs) != command.runs:
        raise RuntimeError(f"dlx train {' '.join(command.words)}: {len(runs)} runs, not {command.runs}")
    return min(map(_began, runs)), max((run / "history.csv").stat().st_mtime for run in runs)


def _began(run: Path) -> float:
    """Return when a run was about to train: the time of the first line in its log, seconds of the epoch."""
    with (run / "train.log").open(encoding="utf-8") as log:
        return datetime.fromisoformat(log.readline()[: len("2026-11-21 12:00:00,000")]).timestamp()


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return how much time these spans, (start, end) each, cover together."""
    total, until = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def call(words: Sequence[str], folder: Path) -> None:
    """Run this Python with these words in `folder`, where its output goes into a file.

    Raises RuntimeError with the last lines of it for another exit code than 0.
    """
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    log = folder / "output.txt"
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-5:])
        raise RuntimeError(f"python {' '.join(words)}: exit code {done.returncode}\n{last}")


def knows(words: Sequence[str]) -> bool:
    """Whether dlx has the keys and choices that these words name."""
    with TemporaryDirectory() as folder:
        try:
            call(["-m", "dlx", "train", *words, "--cfg", "job"], Path(folder))
        except RuntimeError:
            return False
    return True
