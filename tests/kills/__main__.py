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
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dlx.run.history import read_last
from dlx.run.paths import HISTORY, LOG
from tests.study.contents import files

# Dropout, augmentation, batch norm, a schedule, probes and early stopping; 40 runs, of which some stop early.
# There is enough to do for two processes.
WORDS = [
    "name=study",
    "data.train_size=300",
    "data.val_size=100",
    "epochs=50",
    "model=mlp_bn",
    "model.width=16",
    "model.dropout=0.1",
    "augment=shift_flip",
    "schedule=cosine",
    "optimizer.lr=0.001,0.003,0.01,0.1",
    "probes.layers=true",
    "probes.steps=true",
    "monitor=val_loss",
    "early_stopping.patience=10",
    "keep=last",
]
EVERY = 5  # epochs between checkpoints
Kill = Callable[[subprocess.Popen[bytes], random.Random], bool]  # whether it killed


@dataclass(frozen=True)
class Way:
    """A way of dying: how often it should happen, and where: in a context that gives more words and the kill.

    `goes_on`: the command itself lives on, and is killed again.
    """

    kills: int
    context: Callable[[], AbstractContextManager[tuple[list[str], Kill]]]
    goes_on: bool = False


def main() -> int:
    """Run the table; the exit code is 1 if a line is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--share", type=float, default=1.0, help="of the kills of each way")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wrong = 0
    for name in given.ways:
        kills = max(1, round(WAYS[name].kills * given.share))
        with tempfile.TemporaryDirectory() as folder, WAYS[name].context() as (words, kill):
            wrong += not _Line(name, words, kill, Path(folder), random.Random(given.seed)).holds(kills)
    return int(wrong > 0)


class _Line:
    """Trains a study undisturbed, then again, killed on the way, until there were enough kills."""

    def __init__(self, way: str, words: list[str], kill: Kill, folder: Path, draws: random.Random) -> None:
        self._way, self._kill, self._folder, self._draws = way, kill, folder, draws
        self._words = [*WORDS, *words, f"checkpoint.every={EVERY}"]

    def holds(self, wanted: int) -> bool:
        """Kill this many times, print the line, and return whether it is as it should be."""
        began = time.monotonic()
        _train([*self._words, f"output_root={self._folder / 'undisturbed'}"]).communicate()
        seconds = time.monotonic() - began
        expected = files(self._folder / "undisturbed" / "study")
        kills = again = compared = 0
        wrong: list[str] = []
        while kills < wanted:
            study = Killed(self._folder / f"killed-{kills}" / "study")
            killed = self._train_killed(study, wanted - kills, seconds)
            if not killed:
                raise RuntimeError(f"{self._way}: the study ended before anything was killed")
            kills += killed
            found = files(study.folder)
            compared += len(expected)
            wrong += sorted(n for n in expected | found if expected.get(n) != found.get(n))
            wrong += [f"left: {p.relative_to(study.folder)}" for p in _left(study.folder)]
            again = max(again, study.computed_again())
        print(
            f"{self._way:<10} {kills:>3} kills, at most {again} epochs computed again, "
            f"{compared} files compared, {len(wrong)} differ or are left over",
            flush=True,
        )
        for name in wrong[:10]:
            print(f"    {name}")
        return not wrong and again <= EVERY

    def _train_killed(self, study: "Killed", most: int, seconds: float) -> int:
        """Train the study, killed and given again until it is complete; return how often it was killed."""
        kills, code = 0, -1
        while code != 0:
            process = _train([*self._words, f"output_root={study.folder.parent}"])
            while kills < most and process.poll() is None:
                time.sleep(self._draws.uniform(0.1, 0.6) * seconds)
                if process.poll() is None and self._kill(process, self._draws):
                    kills += 1
                    study.killed()
                if not WAYS[self._way].goes_on:
                    break
            said = process.communicate()[0].decode()
            code = process.returncode
            if code not in (0, 130, 143, -9):
                raise RuntimeError(f"{self._way}: exit code {code}: {said[-500:]}")
        return kills


def _left(study: Path) -> list[Path]:
    return [path for path in study.rglob("*") if LEFT.search(str(path))]


class Killed:
    """Follows how far a study's runs had come at each kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reached: list[tuple[datetime, dict[str, int]]] = []  # when it was killed, each run's last epoch

    def killed(self) -> None:
        """Note how far each run has come."""
        self._reached.append(
            (
                datetime.now(),  # noqa: DTZ005 - as in the log
                dict(self._epochs()),
            )
        )

    def _epochs(self) -> Iterator[tuple[str, int]]:
        for history in self.folder.glob(f"*/{HISTORY}"):
            with suppress(ValueError):  # no whole row yet
                yield history.parent.name, int(read_last(history)["epoch"])

    def computed_again(self) -> int:
        """Return the most epochs that a run computed again after a kill, as its log says."""
        most = 0
        for log in self.folder.glob(f"*/{LOG}"):
            for line in log.read_text().splitlines():
                if "training on" in line:
                    began = datetime.fromisoformat(line[: len("2026-11-21 12:00:00,000")])
                    before = [epochs for killed, epochs in self._reached if killed < began]
                    goes_on = re.search(r"after epoch (\d+)", line)
                    reached = before[-1].get(log.parent.name, 0) if before else 0
                    most = max(most, reached - int(goes_on[1] if goes_on else 0))
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


@contextmanager
def ray_cluster() -> Iterator[tuple[list[str], Kill]]:
    """A cluster of two nodes, one of which dies with each kill and is replaced."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = [cluster.add_node(num_cpus=1)]

    def kill(_: subprocess.Popen[bytes], __: random.Random) -> bool:
        cluster.remove_node(second.pop(), allow_graceful=False)
        second.append(cluster.add_node(num_cpus=1))
        return True

    try:
        yield ["seed=range(10)", "launcher=ray", f"launcher.address={cluster.address}"], kill
    finally:
        cluster.shutdown()


def _here(kill: Kill, *words: str) -> Callable[[], AbstractContextManager[tuple[list[str], Kill]]]:
    return lambda: nullcontext(([*words], kill))


WAYS = {
    "stacked": Way(50, _here(kill_all, "seed=range(10)")),
    "loop": Way(30, _here(kill_all, "seed=range(7)", "engine=loop")),
    "SIGTERM": Way(10, _here(terminate, "seed=range(10)")),
    "worker": Way(10, _here(kill_worker, "seed=range(10)", "launcher.processes=2"), goes_on=True),
    "ray": Way(10, ray_cluster, goes_on=True),
}
LEFT = re.compile(r"/\.study/(checkpoints|held)/|/\.[^/]*\.[^/]{8}(\.new)?$")


def _train(arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dlx", "train", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


if __name__ == "__main__":
    sys.exit(main())
