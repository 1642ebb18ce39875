"""What a launcher is: it takes cohorts, has them trained somewhere, and says how each came back.

What goes elsewhere is a study's folder and a cohort; what comes back is in the study's files. So whatever can
run a function elsewhere can be a launcher.
"""

import errno
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from dlx.study.cohort import train_cohort
from dlx.study.progress import RunDisplay
from dlx.study.stopping import Interrupted, interruption
from dlx.study.study import Cohort, Study

Task = tuple[Path, Cohort]  # the study's folder, and one of its cohorts

# How a cohort came back: its runs have ended; another process holds it; training stopped early because it was
# asked to; the process that trained it died; storage failed, or dlx did.
How = Literal["ended", "held", "stopped", "lost", "failed"]


@dataclass(frozen=True)
class Attempt:
    """A cohort that came back, and how.

    `reason`: how the process of a lost one ended, if that is known. `error`: of a failed one; OSError if
    storage failed.
    """

    task: Task
    how: How
    reason: str = ""
    error: Exception | None = None


class Launcher(Protocol):
    """Has cohorts trained, `places` at a time. `launch` hands them out, and decides what is tried again."""

    places: int

    def submit(self, task: Task) -> None:
        """Begin to have a cohort trained. Called while fewer than `places` cohorts are out."""

    def returned(self, seconds: float) -> list[Attempt]:
        """Return the cohorts that have come back; wait for the first at most this long."""

    def stop(self) -> None:
        """Ask whatever trains to stop at its next step; each cohort comes back, most of them as "stopped"."""

    def close(self) -> None:
        """End at once every process that was started. May be called twice, and by a signal's handler."""


def train_if_free(
    study: Study, cohort: Cohort, displays: Mapping[str, RunDisplay] | None = None
) -> Literal["ended", "held"]:
    """Train a cohort, or what a later request has made of it, and never wait for another process.

    Raises OSError if nothing can be written or the study's folder is gone, and Interrupted if it is to stop.
    """
    how: Literal["ended", "held"] = "ended"
    parts = study.cohorts_of(cohort.runs)
    if not parts:
        raise gone(study.folder)
    for part in parts:
        with study.claim(part) as claimed:
            if claimed:
                _train(study, part, displays)
            else:
                how = "held"
    return how


def _train(study: Study, cohort: Cohort, displays: Mapping[str, RunDisplay] | None) -> None:
    try:
        train_cohort(study, cohort, displays, interruption)
    except OSError as error:
        if error.filename is None:  # a full disk does not say of which file
            error.filename = str(study.folder)
        raise
    for run in cohort.runs:
        if not study.has_ended(run):  # its folder must have been taken away
            raise gone(study.folder / run if study.folder.is_dir() else study.folder)


def gone(folder: Path) -> OSError:
    """Return the error that a folder is not there any more."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))


def train_elsewhere(folder: Path, cohort: Cohort) -> How:
    """Train a cohort in a process that is not the request's, unless another process holds it."""
    try:
        return train_if_free(_opened(folder), cohort)
    except Interrupted:
        return "stopped"


@functools.lru_cache(maxsize=1)  # a process trains many cohorts of one study, whose requests are read once
def _opened(folder: Path) -> Study:
    return Study(folder)
