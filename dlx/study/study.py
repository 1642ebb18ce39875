"""A study: what was asked of it, which runs train together, and who trains what now.

It is a folder that anybody may read at any time, and that several processes extend and train at once:

    outputs/<study>/<run>/                the files of a run; its result.json says that it has ended
    outputs/<study>/.study/requests/      0001.json, 0002.json, ...: each request, never changed
    outputs/<study>/.study/source/        what the requests ran on: own source files, packages, changes to git
    outputs/<study>/.study/cohorts.json   which runs train together, and on how many threads
    outputs/<study>/.study/held/          a lock for each cohort that trains, and who holds it
    outputs/<study>/.study/checkpoints/   of the cohorts that have begun and not ended
    outputs/<study>/.study/again/         runs that train again for a file (see afterwards.py), and what they
    outputs/<study>/.study/earlier/       were before, if a number differs
    outputs/<study>/.study/looks.json     when its report was read, and with how many seeds (see looks.py)
"""

import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from dlx.errors import RequestError
from dlx.run.documents import read_json, shorten
from dlx.run.files import STUDY_LIMIT, make_folder, open_regular, refuse_links
from dlx.run.format_version import FORMAT, NewerFormatError, refuse_newer
from dlx.run.identity import Fingerprints, identity, is_identity
from dlx.run.paths import RESULT, STUDY, write_atomically
from dlx.run.recordings import covers, lacking
from dlx.run.result import Result, read_result
from dlx.study.held import Held, Holder
from dlx.study.lock import Lock

if TYPE_CHECKING:
    from dlx.config import Settings

FOLDER = STUDY


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
    choices: dict[str, str] = field(default_factory=dict)  # from groups, as typed: optimizer: slow_sgd

    def entry(self) -> dict[str, Any]:
        """Return what a request's file says of the run."""
        own = {"fingerprints": asdict(self.fingerprints)} if self.fingerprints else {}
        said = {"name": self.name, "label": self.label, "words": self.words, "config": self.config}
        return said | own | ({"choices": self.choices} if self.choices else {})

    @classmethod
    def from_entry(cls, entry: dict[str, Any]) -> "StudyRun":
        """Return the run that `entry` described."""
        run = _ENTRY.validate_python(entry)
        if not run.name or run.name != Path(run.name).name:  # ../x is no folder of a study
            raise ValueError(f"'{shorten(run.name)}' is not the name of a run's folder")
        return run

    @cached_property
    def settings(self) -> "Settings":
        """The checked configuration."""
        from dlx.config import check_values  # 40 ms, and a report needs no settings

        return check_values(self.config)

    @property
    def identity(self) -> str:
        """The hash of what it computes."""
        return identity(self.config, self.fingerprints)


_ENTRY = TypeAdapter(StudyRun)
_COHORTS = TypeAdapter(list[Cohort])
_TEXT = TypeAdapter(list[str])


class Study:
    """The study in `folder`. Whatever it says is read from the files at that moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = folder / FOLDER
        self._held = Held(self._own / "held")
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

        `source` says what it ran on (see `dlx.study.source`). Raises RequestError for a damaged file.
        """
        for path in sorted((self._own / "requests").glob("*.json"))[len(self._requests) :]:
            request = _read_json(path)
            if isinstance(request, dict):
                refuse_newer(path, request.get("format"))
            try:
                # An entry without a configuration is of a run that an earlier request has asked for just so.
                new = [StudyRun.from_entry(run) for run in request["runs"] if "config" in run]
                _TEXT.validate_python([request["time"], *_names(request)])
            except (KeyError, TypeError, ValueError) as error:
                raise _damaged(path, error) from error
            self._requests.append(request)
            self._runs |= {run.name: run for run in new}
        return self._requests

    @property
    def has_earlier_names(self) -> bool:
        """Whether a request is of format 1, in whose folders' names `keep` and probes counted."""
        begin = b'{"format": 1,'
        for path in sorted((self._own / "requests").glob("*.json")):
            with open_regular(path, STUDY_LIMIT) as file:
                if file.read(len(begin)) == begin:
                    return True
        return False

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
                record = _read_json(path)
                self._cohorts = _COHORTS.validate_python(record["cohorts"])
                self._cohorts_written = written
        except FileNotFoundError:
            return []
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from error
        return list(self._cohorts)

    def cohorts_of(self, runs: Sequence[str]) -> list[Cohort]:
        """Return the cohorts that hold these runs now: a later request may have split the one that did."""
        return [cohort for cohort in self.cohorts if not set(runs).isdisjoint(cohort.runs)]

    def result(self, name: str) -> Result | None:
        """Return a run's result if it has ended with one that stands: a failed run is tried again.

        A diverged one stands, because it would diverge again. It must have all that is asked for.
        Raises RequestError if the file is damaged, or belongs to another configuration.
        """
        run = self.runs[name]
        return finished_result(self.folder / name, run.config, run.fingerprints)

    def result_to_extend(self, name: str) -> Result | None:
        """Return the result of a run that has ended, but without something that it is asked to record."""
        run = self.runs[name]
        result = standing_result(self.folder / name, run.config, run.fingerprints)
        return result if result is not None and lacking(run.config, result) else None

    def again(self, name: str) -> Path:
        """Return the folder into which a run that has ended is trained again (see afterwards.py)."""
        return self._own / "again" / name

    @property
    def earlier(self) -> Path:
        """The folder of what runs were before they were trained again, where a number differs."""
        return self._own / "earlier"

    def checkpoint(self, cohort: Cohort) -> Path:
        """Return where a cohort's checkpoint lies, without the ending (see CohortCheckpoint)."""
        return self._own / "checkpoints" / cohort.key

    def runs_with_checkpoint(self) -> list[str]:
        """Return the runs that have not ended, and go on from a checkpoint as soon as they train."""
        kept = [each for each in self.cohorts if self._checkpoints(each) and not self.is_held(each)]
        return [run for cohort in kept for run in cohort.runs if not self.has_ended(run)]

    def has_begun(self, cohort: Cohort) -> bool:
        """Say whether a cohort trains, has a checkpoint, or holds a run that has ended.

        Such a cohort stays as it is, because the last bits of a run depend on what it trains with.
        """
        return self._has_something(cohort) or self.is_held(cohort)

    def _has_something(self, cohort: Cohort) -> bool:
        return bool(self._checkpoints(cohort)) or any(self.has_ended(run) for run in cohort.runs)

    def has_ended(self, run: str) -> bool:
        """Say whether a run has a result, whatever it is."""
        return (self.folder / run / RESULT).is_file()

    def progress(self, cohort: Cohort) -> Hashable:
        """Return what changes whenever a cohort can go on from a later point than before."""
        written = [(path.name, path.stat().st_mtime_ns) for path in self._checkpoints(cohort)]
        return (*written, sum(self.has_ended(run) for run in cohort.runs))

    def _checkpoints(self, cohort: Cohort) -> list[Path]:
        stem = self.checkpoint(cohort)
        return sorted(stem.parent.glob(f"{stem.name}.*pt"))

    # --- extending

    def refuse_links(self) -> None:
        """Raise RequestError for a link among the study's own files: another folder could be written into."""
        refuse_links(self._own)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the study while a request is added to it; waits for whoever does so at the moment.

        Gives False where the file system has no locks: nothing then keeps two processes apart.
        """
        self.refuse_links()
        make_folder(self.folder, FOLDER)
        lock = Lock(self._own / "lock")
        with lock.waited_for():
            yield lock.supported

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
        for run in runs:
            known_run = self.runs.get(run.name)
            if known_run and known_run.config != run.config and known_run.identity != run.identity:
                raise RequestError(
                    f"{self.folder} records another configuration as {run.name}; choose another name="
                )
        names = [run.name for run in runs]
        before = self.requests
        asked = [_names(request) for request in before]
        known = {run.name for run in runs if run.name in self.runs and _is_kept_as(self.runs[run.name], run)}
        again = names in asked[-1:] or (names in asked and not any(run.fingerprints for run in runs))
        if again and known.issuperset(names):
            return
        request = {
            "format": FORMAT,
            "time": _now(),
            "dlx": version,
            "words": list(words),
            "source": record_source(),
            "runs": [run.entry() if run.name not in known else {"name": run.name} for run in runs],
        }
        folder = make_folder(self.folder, FOLDER, "requests")
        write_atomically(folder / f"{len(before) + 1:04}.json", (json.dumps(request) + "\n").encode())

    def add_cohorts(self, cohorts: Sequence[Cohort]) -> bool:
        """Write down new cohorts, under `locked`; earlier ones lose the runs that are in these.

        Returns False, and writes nothing, if one of those has begun meanwhile.
        """
        before = self.cohorts
        new = [cohort for cohort in cohorts if cohort not in before]
        taken = {run for cohort in new for run in cohort.runs}
        split = [cohort for cohort in before if not taken.isdisjoint(cohort.runs)]
        with ExitStack() as stack:  # whoever wants to train one of these has to wait until it is no more
            for cohort in split:
                if not stack.enter_context(self._held.lock(cohort.key)) or self._has_something(cohort):
                    return False
            kept = [self._without(cohort, taken) for cohort in before]
            entries = [{"runs": c.runs, "threads": c.threads} for c in [*kept, *new] if c.runs]
            if new:
                content = json.dumps({"cohorts": entries}) + "\n"
                write_atomically(self._own / "cohorts.json", content.encode())
        return True

    @staticmethod
    def _without(cohort: Cohort, taken: set[str]) -> Cohort:
        return Cohort(tuple(run for run in cohort.runs if run not in taken), cohort.threads)

    # --- training

    @contextmanager
    def claim(self, cohort: Cohort) -> Iterator[bool]:
        """Hold a cohort while it trains, and give True; never wait.

        Gives False if another process holds the cohort, or if a later request has split it. Raises OSError
        if the study's folder is gone.
        """
        with self._held.lock(cohort.key) as mine:
            if not mine or cohort not in self.cohorts:
                yield False
                return
            with self._held.note(cohort.key):
                yield True

    def is_held(self, cohort: Cohort) -> bool:
        """Say whether a process trains the cohort at the moment, on any machine."""
        return self._held.is_held(cohort.key)

    def holder(self, cohort: Cohort) -> Holder | None:
        """Return the process that trains the cohort; None if nobody does, or it has not said so yet."""
        return self._held.holder(cohort.key) if self.is_held(cohort) else None

    def tidy(self) -> None:
        """Remove what dead processes have left in the study's own folder, under `locked`."""
        self._held.tidy()
        for torn in (*self._own.glob(".cohorts.json.*"), *(self._own / "requests").glob(".*")):
            torn.unlink(missing_ok=True)


def _names(request: dict[str, Any]) -> list[str]:
    return [run["name"] for run in request["runs"]]


def _is_kept_as(before: StudyRun, now: StudyRun) -> bool:
    """Return whether a run is to record what it was to before, as often, with its data in the same place."""
    if not covers(before.config, now.config):
        return False
    kept = [
        (run.config.get("checkpoint", {"every": "auto"}), run.config.get("data", {}).get("storage", "auto"))
        for run in (before, now)
    ]
    return bool(kept[0] == kept[1])


def _read_json(path: Path) -> Any:
    try:
        return read_json(path, STUDY_LIMIT)
    except ValueError as error:
        raise RequestError(str(error)) from error


def _damaged(path: Path, error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    return RequestError(f"{path}: not what dlx has written ({type(error).__name__}: {shorten(error)})")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def finished_result(folder: Path, config: dict[str, Any], fingerprints: Fingerprints) -> Result | None:
    """Return the result in `folder` of a run with this identity that need not be trained; else None.

    It has the checkpoint and the probes that are asked for. Raises RequestError as `standing_result` does.
    """
    result = standing_result(folder, config, fingerprints)
    return None if result is None or lacking(config, result) else result


def standing_result(folder: Path, config: dict[str, Any], fingerprints: Fingerprints) -> Result | None:
    """Return the result in `folder` of a run with this identity, unless it failed.

    Raises RequestError if the result cannot be read, or is another configuration's.
    """
    try:
        result = read_result(folder)
    except NewerFormatError:
        raise
    except ValueError as error:
        raise RequestError(f"{error}; rerun=true trains the run again") from error
    if result is None or result.status == "failed":
        return None
    same = identity(config, fingerprints) == identity(result.config, result.fingerprints)
    if not same or not is_identity(result.identity, result.config, result.fingerprints):
        raise RequestError(f"{folder / RESULT}: belongs to another configuration; rerun=true replaces it")
    return result
