"""Kills a sweep again and again, and compares it with an undisturbed one: `python -m tests.kills`.

Each way of dying has a line: how often it was killed, the most epochs that a run computed again after a kill,
whether every file has the bits of the undisturbed sweep, and what was left over.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dlx.run.history import read_last
from dlx.run.paths import HISTORY, LOG
from tests.study.contents import files

# Dropout, augmentation, batch norm, a schedule, probes and early stopping; 40 runs, of which some stop early.
WORDS = [
    "name=study",
    "data.train_size=500",
    "data.val_size=100",
    "epochs=60",
    "model=mlp_bn",
    "model.width=16",
    "model.dropout=0.1",
    "augment=shift_flip",
    "schedule=cosine",
    "optimizer.lr=0.001,0.003,0.01,0.1",
    "probes.layers=true",
    "probes.steps=true",
    "monitor=val_loss",
    "early_stopping.patience=15",
    "keep=last",
]
EVERY = 5  # epochs between checkpoints
Kill = Callable[[subprocess.Popen[bytes], random.Random], bool]  # whether it killed


def main() -> int:
    """Run the table; the exit code is 1 if a line is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--share", type=float, default=1.0, help="of the kills of each way")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wrong = 0
    for way in given.ways:
        words, count, kill = WAYS[way]
        with tempfile.TemporaryDirectory() as folder:
            wrong += not _line(way, words, max(1, round(count * given.share)), kill, Path(folder), given.seed)
    return int(wrong > 0)


def _line(way: str, words: list[str], count: int, kill: Kill, folder: Path, seed: int) -> bool:
    draws = random.Random(seed)
    arguments = [*WORDS, *words, f"checkpoint.every={EVERY}"]
    began = time.monotonic()
    undisturbed = _train([*arguments, f"output_root={folder / 'undisturbed'}"])
    undisturbed.communicate()
    seconds = time.monotonic() - began
    study, again = Attempts(folder / "killed" / "study"), 0
    kills, code = 0, -1
    while code != 0:
        process = _train([*arguments, f"output_root={study.folder.parent}"])
        while kills < count and process.poll() is None:
            time.sleep(draws.uniform(0.1, 0.8) * seconds)
            kills += process.poll() is None and kill(process, draws)
            if kill is not kill_worker:
                break
        said = process.communicate()[0].decode()
        code = process.returncode
        again = max(again, study.computed_again())
        if code not in (0, 130, 143, -9):
            print(f"{way}: exit code {code}: {said[-500:]}")
            return False
    expected, found = files(folder / "undisturbed" / "study"), files(study.folder)
    differ = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    left = [str(p.relative_to(study.folder)) for p in study.folder.rglob("*") if LEFT.search(str(p))]
    print(
        f"{way:<10} {kills:>3} kills, at most {again} epochs computed again, {len(differ)} of "
        f"{len(expected)} files differ, {len(left)} left over",
        flush=True,
    )
    for name in (*differ[:5], *left[:5]):
        print(f"    {name}")
    return not differ and not left and again <= EVERY


class Attempts:
    """Follows a study from attempt to attempt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reached: dict[Path, int] = {}  # by run, the last epoch of the attempt before
        self._read: dict[Path, int] = {}  # bytes of each train.log

    def computed_again(self) -> int:
        """Return the most epochs that a run of the last attempt computed again; it has ended."""
        most = 0
        for log in self.folder.glob(f"*/{LOG}"):
            content = log.read_bytes()
            new, self._read[log] = content[self._read.get(log, 0) :].decode(), len(content)
            for line in new.splitlines():
                if "training on" in line:
                    goes_on = re.search(r"after epoch (\d+)", line)
                    most = max(most, self._reached.get(log, 0) - int(goes_on[1] if goes_on else 0))
            try:
                self._reached[log] = int(read_last(log.parent / HISTORY)["epoch"])
            except (ValueError, FileNotFoundError):
                self._reached[log] = 0
        return most


def kill_all(process: subprocess.Popen[bytes], _: random.Random) -> bool:
    """Kill the process and its workers."""
    os.killpg(process.pid, signal.SIGKILL)
    return True


def terminate(process: subprocess.Popen[bytes], _: random.Random) -> bool:
    """Ask the process to end."""
    process.terminate()
    return True


def kill_worker(process: subprocess.Popen[bytes], draws: random.Random) -> bool:
    """Kill one of the workers, if there is one."""
    workers = [pid for pid in _session(process.pid) if _parent(pid) not in (process.pid, os.getpid())]
    if workers:
        os.kill(draws.choice(workers), signal.SIGKILL)
    return bool(workers)


def _session(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return os.getpid()


WAYS: dict[str, tuple[list[str], int, Kill]] = {
    "stacked": (["seed=range(10)"], 50, kill_all),
    "loop": (["engine=loop", "seed=range(7)"], 30, kill_all),
    "SIGTERM": (["seed=range(10)"], 10, terminate),
    "worker": (["seed=range(10)"], 10, kill_worker),
}
LEFT = re.compile(r"/\.study/(checkpoints|held)/|/\.[^/]*\.[^/]{8}(\.new)?$")


def _train(arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dlx", "train", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


if __name__ == "__main__":
    sys.exit(main())
