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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from dlx.run.files import make_folder, refuse_links
from dlx.run.paths import RESULT, STUDY, write_atomically
from dlx.run.recordings import lacking
from dlx.run.result import Result
from dlx.study.finished import finished_result, standing_result
from dlx.study.held import Held, Holder
from dlx.study.lock import Lock
from dlx.study.requests import Requests, StudyRun, damaged, read_study_file

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


_COHORTS = TypeAdapter(list[Cohort])


class Study:
    """The study in `folder`. Whatever it says is read from the files at that moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = folder / FOLDER
        self._held = Held(self._own / "held")
        self._requests = Requests(folder)
        self._cohorts: list[Cohort] = []
        self._cohorts_written: tuple[int, int] | None = None

    # --- reading

    @property
    def source_folder(self) -> Path:
        """Where `dlx.study.source` keeps what the requests ran on."""
        return self._own / "source"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests in order (see `Requests.all`)."""
        return self._requests.all

    @property
    def runs(self) -> dict[str, StudyRun]:
        """Every run that was asked for, by name, in the order of the requests."""
        return self._requests.runs

    @property
    def has_earlier_names(self) -> bool:
        """Whether names of folders are of format 1, in which `keep` and probes counted."""
        return self._requests.has_earlier_names

    @property
    def cohorts(self) -> list[Cohort]:
        """Which runs train together, those that have ended included."""
        path = self._own / "cohorts.json"
        try:
            written = path.stat().st_ino, path.stat().st_mtime_ns
            if written != self._cohorts_written:  # asked for each cohort that trains
                record = read_study_file(path)
                self._cohorts = _COHORTS.validate_python(record["cohorts"])
                self._cohorts_written = written
        except FileNotFoundError:
            return []
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from error
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
        """Write down what is asked for, under `locked` (see `Requests.add`)."""
        self._requests.add(words, version, runs, record_source)

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
