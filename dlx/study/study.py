"""A study: what was asked of it, which runs train together, and who trains what now.

It is a folder that anybody may read at any time, and that several processes extend and train at once:

    outputs/<study>/<run>/                the files of a run; its result.json says that it has ended
    outputs/<study>/.study/requests/      0001.json, 0002.json, ...: each request, never changed
    outputs/<study>/.study/source/        what the requests ran on: own source files, packages, changes to git
    outputs/<study>/.study/cohorts.json   which runs train together, and on how many threads
    outputs/<study>/.study/held/          a lock for each cohort, released by the kernel when its holder dies
    outputs/<study>/.study/looks.json     when its report was read, and with how many seeds (see looks.py)
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dlx.config import Settings, check_values
from dlx.errors import RequestError
from dlx.run.history import read_last
from dlx.run.identity import Fingerprints, identity
from dlx.run.paths import HISTORY, RESULT, write_atomically
from dlx.run.result import Result, Status, read_result

FOLDER = ".study"
FORMAT = 1  # of the files in it


@dataclass(frozen=True)
class Cohort:
    """Runs that train together as one batch, or one run alone, by the names of their folders.

    `threads`: torch's, where a run's settings do not say; None: as many as the run's size pays for.
    """

    runs: tuple[str, ...]
    threads: int | None

    @property
    def key(self) -> str:
        """A name that only this cohort has within its study."""
        return hashlib.sha256("\n".join(self.runs).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class StudyRun:
    """A run as it was asked for."""

    name: str  # of its folder
    label: str  # what told it from the other runs of its request
    words: list[str]  # the overrides that composed it
    config: dict[str, Any]  # resolved
    fingerprints: Fingerprints = field(default_factory=Fingerprints)  # of the user's own code and data

    def entry(self) -> dict[str, Any]:
        """Return what a request's file says of the run."""
        own = {"fingerprints": asdict(self.fingerprints)} if self.fingerprints else {}
        return {"name": self.name, "label": self.label, "words": self.words, "config": self.config} | own

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> "StudyRun":
        """Return the run that `entry` described."""
        return cls(**entry | {"fingerprints": Fingerprints(**entry.get("fingerprints", {}))})

    @cached_property
    def settings(self) -> Settings:
        """The checked configuration."""
        return check_values(self.config)


@dataclass(frozen=True)
class RunState:
    """Where a run is: waiting for a process, training, ended, or left by a process that died."""

    run: StudyRun
    status: Status | Literal["waiting", "training", "interrupted"]
    epoch: int | None  # the last one in its history
    holder: dict[str, Any] | None  # of a run that is training: pid, host and since when


class Study:
    """The study in `folder`. Whatever it says is read from the files at that moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = folder / FOLDER
        self._requests: list[dict[str, Any]] = []
        self._runs: dict[str, StudyRun] = {}
        self._cohorts: list[Cohort] = []
        self._cohorts_written: tuple[int, int] | None = None

    # --- reading

    @property
    def source_folder(self) -> Path:
        """Where `dlx.study.source` keeps what the requests ran on."""
        return self._own / "source"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests in order: each with `time`, `dlx`, `words`, and `runs`, which have a `name` each.

        `source` says what it ran on (see `dlx.study.source`).
        """
        for path in sorted((self._own / "requests").glob("*.json"))[len(self._requests) :]:
            request = json.loads(path.read_text(encoding="utf-8"))
            self._requests.append(request)
            for run in request["runs"]:
                if "config" in run:  # else an earlier request has asked for it already
                    self._runs.setdefault(run["name"], StudyRun.from_entry(run))
        return self._requests

    @property
    def runs(self) -> dict[str, StudyRun]:
        """Every run that was asked for, by name, in the order of the requests."""
        _ = self.requests
        return self._runs

    @property
    def cohorts(self) -> list[Cohort]:
        """Which runs train together, those that have ended included."""
        path = self._own / "cohorts.json"
        try:
            written = path.stat().st_ino, path.stat().st_mtime_ns
            if written != self._cohorts_written:  # asked for each cohort that trains
                record = json.loads(path.read_text(encoding="utf-8"))
                self._cohorts = [Cohort(tuple(each["runs"]), each["threads"]) for each in record["cohorts"]]
                self._cohorts_written = written
        except FileNotFoundError:
            return []
        return list(self._cohorts)

    def cohorts_of(self, runs: Sequence[str]) -> list[Cohort]:
        """Return the cohorts that hold these runs now: a later request may have split the one that did."""
        return [cohort for cohort in self.cohorts if not set(runs).isdisjoint(cohort.runs)]

    def result(self, name: str) -> Result | None:
        """Return a run's result if it has ended with one that stands: a failed run is tried again.

        A diverged one stands, because it would diverge again. Raises RequestError if the file is damaged, or
        belongs to another configuration.
        """
        run = self.runs[name]
        return finished_result(self.folder / name, run.config, run.fingerprints)

    def states(self) -> list[RunState]:
        """Say of every run where it is."""
        holders = {run: self._holder(cohort) for cohort in self.cohorts for run in cohort.runs}
        return [self._state(run, holders.get(name)) for name, run in self.runs.items()]

    def _state(self, run: StudyRun, holder: dict[str, Any] | None) -> RunState:
        epoch = None
        with suppress(OSError, ValueError):
            epoch = int(read_last(self.folder / run.name / HISTORY)["epoch"])
        result = read_result(self.folder / run.name)
        if result is not None:
            return RunState(run, result.status, epoch, None)
        if holder is not None:
            return RunState(run, "waiting" if epoch is None else "training", epoch, holder)
        return RunState(run, "waiting" if epoch is None else "interrupted", epoch, None)

    def checkpoint(self, cohort: Cohort) -> Path:
        """Where a cohort's checkpoint lies, without the ending (see CohortCheckpoint)."""
        return self._own / "checkpoints" / cohort.key

    # --- extending

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the study while a request is added to it; waits for whoever does so at the moment."""
        from filelock import FileLock

        self._own.mkdir(parents=True, exist_ok=True)
        with FileLock(self._own / "lock"):
            yield

    def add_request(
        self,
        words: Sequence[str],
        version: str,
        runs: Sequence[StudyRun],
        record_source: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Write down what is asked for, under `locked`; a request for the same runs is not written twice.

        One that reads the user's own code or data is, unless it is the last: it may return to an earlier
        version, and the last request says which counts. `record_source` is called when one is written.
        """
        names = [run.name for run in runs]
        before = self.requests
        asked = [[run["name"] for run in request["runs"]] for request in before]
        if names in asked[-1:] or (names in asked and not any(run.fingerprints for run in runs)):
            return
        known = self.runs
        request = {
            "format": FORMAT,
            "time": _now(),
            "dlx": version,
            "words": list(words),
            "source": record_source(),
            "runs": [run.entry() if run.name not in known else {"name": run.name} for run in runs],
        }
        folder = self._own / "requests"
        folder.mkdir(exist_ok=True)
        write_atomically(folder / f"{len(before) + 1:04}.json", (json.dumps(request) + "\n").encode())

    def add_cohorts(self, cohorts: Sequence[Cohort]) -> None:
        """Write down new cohorts, under `locked`; earlier ones lose the runs that are in these."""
        taken = {run for cohort in cohorts for run in cohort.runs}
        kept = [self._without(cohort, taken) for cohort in self.cohorts]
        entries = [{"runs": c.runs, "threads": c.threads} for c in [*kept, *cohorts] if c.runs]
        write_atomically(self._own / "cohorts.json", (json.dumps({"cohorts": entries}) + "\n").encode())

    @staticmethod
    def _without(cohort: Cohort, taken: set[str]) -> Cohort:
        return Cohort(tuple(run for run in cohort.runs if run not in taken), cohort.threads)

    # --- training

    @contextmanager
    def claim(self, cohort: Cohort) -> Iterator[bool]:
        """Hold a cohort while it trains, and give True; never wait.

        Gives False if another process holds the cohort, or if a later request has split it.
        """
        from filelock import FileLock, Timeout

        held = self._own / "held"
        held.mkdir(exist_ok=True)
        lock = FileLock(held / f"{cohort.key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            me = {"pid": os.getpid(), "host": platform.node(), "since": _now()}
            (held / f"{cohort.key}.json").write_text(json.dumps(me), encoding="utf-8")
            with self.locked():  # whoever splits it looks, under this lock, whether it is held
                recorded = cohort in self.cohorts
            yield recorded
        finally:
            (held / f"{cohort.key}.json").unlink(missing_ok=True)
            lock.release()

    def _holder(self, cohort: Cohort) -> dict[str, Any] | None:
        """Return who holds a cohort; None if nobody does, or its holder has died on this machine."""
        try:
            text = (self._own / "held" / f"{cohort.key}.json").read_text(encoding="utf-8")
            holder: dict[str, Any] = json.loads(text)
        except (FileNotFoundError, ValueError):
            return None
        return holder if holder["host"] != platform.node() or _is_alive(holder["pid"]) else None

    def is_held(self, cohort: Cohort) -> bool:
        """Say whether a process trains the cohort at the moment."""
        return self._holder(cohort) is not None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def finished_result(folder: Path, config: dict[str, Any], fingerprints: Fingerprints) -> Result | None:
    """Return the result in `folder` of a run with this identity that need not be trained; else None.

    Raises RequestError if the result cannot be read, or is another configuration's.
    """
    try:
        result = read_result(folder)
    except ValueError as error:
        raise RequestError(f"{error}; rerun=true trains the run again") from error
    if result is None or result.status == "failed":
        return None
    if result.identity != identity(config, fingerprints):
        raise RequestError(f"{folder / RESULT}: belongs to another configuration; rerun=true replaces it")
    return result
