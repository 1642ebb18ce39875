"""What a launcher is: it takes cohorts, has them trained somewhere, and says how each came back.

What goes elsewhere is a study's folder and a cohort; what comes back is in the study's files. So whatever can
run a function elsewhere can be a launcher.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from dlx.study.cohort import train_cohort
from dlx.study.progress import RunDisplay
from dlx.study.study import Cohort, Study

Task = tuple[Path, Cohort]  # the study's folder, and one of its cohorts

# How a cohort came back: its runs have ended; another process holds it; training stopped early because it was
# asked to; the process that trained it died.
How = Literal["ended", "held", "stopped", "lost"]


@dataclass(frozen=True)
class Attempt:
    """A cohort that came back, and how."""

    task: Task
    how: How


class Launcher(Protocol):
    """Has cohorts trained, `places` at a time. `launch` hands them out, and decides what is tried again."""

    places: int

    def submit(self, task: Task) -> None:
        """Begin to have a cohort trained. Called while fewer than `places` cohorts are out."""

    def returned(self, seconds: float) -> list[Attempt]:
        """Return the cohorts that have come back; wait for the first at most this long.

        Raises OSError if one could not be trained because storage failed.
        """

    def stop(self) -> None:
        """Ask whatever trains to stop at its next step; each cohort comes back as "stopped"."""

    def close(self) -> None:
        """End every process that was started, at once. Called once, whatever happened."""


def train_if_free(
    study: Study, cohort: Cohort, displays: Mapping[str, RunDisplay] | None = None
) -> Literal["ended", "held"]:
    """Train a cohort, or what a later request has made of it, and never wait for another process."""
    how: Literal["ended", "held"] = "ended"
    for part in study.cohorts_of(cohort.runs):
        with study.claim(part) as claimed:
            if claimed:
                train_cohort(study, part, displays)
            else:
                how = "held"
    return how


def train_elsewhere(folder: Path, cohort: Cohort) -> How:
    """Train a cohort in a process that is not the request's, unless another process holds it."""
    return train_if_free(_opened(folder), cohort)


@functools.lru_cache(maxsize=1)  # a process trains many cohorts of one study, whose requests are read once
def _opened(folder: Path) -> Study:
    return Study(folder)
