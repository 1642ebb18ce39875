"""A file system of 20 MB that fills up while a sweep of 40 runs trains, and is then emptied again."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SIZE = "20m"
RUNS = 40
WORDS = [
    "data=blobs",
    "data.samples=200",
    "epochs=20",
    "model.width=4,8",
    "name=s",
    "keep=best",
    "rerun=false",
]
SWEEP = ["train", *WORDS, f"seed=range({RUNS // 2})", "probes.layers=true"]
REPORT = ["report", "s"]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a file system of SIZE. Raises PermissionError where this user may not mount one."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        raise PermissionError(mounted.stderr.decode())
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def trial(folder: Path, results: int, afterwards: Sequence[list[str]] = (SWEEP, REPORT)) -> list[str]:
    """Fill the disk up once so many runs have ended, or during the report if beyond; say what is wrong."""
    with small_disk(folder) as disk:
        if results > RUNS:
            assert _dlx(disk, SWEEP).wait() == 0
        process = _dlx(disk, SWEEP if results <= RUNS else REPORT)
        while process.poll() is None and len(list(disk.glob("s/*/result.json"))) < results <= RUNS:
            time.sleep(0.005)
        _fill(disk / "filler")
        said = process.communicate()[1]
        wrong = []
        if process.returncode not in (0, 4):
            wrong.append(f"exit code {process.returncode}: {said[-500:]}")
        if process.returncode == 4 and len(said.strip().splitlines()) != 1:
            wrong.append(f"more than a line: {said[-500:]}")
        if process.returncode == 4 and "No space left on device: " not in said:
            wrong.append(f"it does not say which file: {said}")
        (disk / "filler").unlink()
        for words in afterwards:
            again = _dlx(disk, words)
            said = again.communicate()[1]
            if again.returncode:
                wrong.append(f"{words[0]} afterwards: exit code {again.returncode}: {said[-300:]}")
        ended = len(list(disk.glob("s/*/result.json")))
        hidden = [
            path for path in disk.rglob(".*") if path.name not in (".hydra", ".study") and path.is_file()
        ]
        return (
            wrong
            + [f"{ended} of {RUNS} runs ended"] * (ended != RUNS)
            + [f"{path} is left" for path in hidden]
        )


def _dlx(disk: Path, words: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"DLX_CACHE": str(disk / "cache"), "OMP_NUM_THREADS": "1"}
    output = ["output_root=."] if words[0] == "train" else []
    command = [sys.executable, "-m", "dlx", *words, *output]
    return subprocess.Popen(
        command, cwd=disk, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(bytes(1)):
            pass
