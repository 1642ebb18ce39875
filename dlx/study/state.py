"""Where every run of a study is: waiting, training and by whom, ended and how, or left unfinished."""

import os
import platform
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dlx.run.history import read_last
from dlx.run.paths import HISTORY, RESULT
from dlx.run.result import Result, Status, read_result
from dlx.study.held import Holder
from dlx.study.study import FOLDER, Cohort, Study

OUTPUTS = Path("outputs")

State = Status | Literal["waiting", "training", "interrupted", "stale", "unreadable"]

# A cohort that another machine holds is stale after this much silence: seconds, and epochs of its own. A file
# server takes 90 s to release a dead client's lock, and a busy machine may be silent for minutes.
SILENT_SECONDS, SILENT_EPOCHS = 600.0, 20.0


@dataclass(frozen=True)
class RunState:
    """One run: `epoch` is the last in its history, `epochs` how many it was asked to train for.

    `holder`: of a run that trains. `seconds_left`: an estimate from the epochs so far. `note`: why it failed,
    or cannot be read.
    """

    name: str
    label: str
    state: State
    epoch: int | None = None
    epochs: int | None = None
    holder: Holder | None = None
    seconds_left: float | None = None
    result: Result | None = None
    note: str = ""


def run_states(study: Study) -> list[RunState]:
    """Say of every run where it is, in the order of the requests; runs that no request names come last.

    Raises RequestError if the study's own files are damaged.
    """
    asked = study.runs
    holders = {run: holder for cohort in study.cohorts for run, holder in _holders(study, cohort).items()}
    states = [
        _state(study.folder, run.name, run.label, run.config, holders.get(run.name)) for run in asked.values()
    ]
    unasked = [name for name in run_folders(study.folder) if name not in asked]
    return states + [_state(study.folder, name, name, {}, None) for name in unasked]


def find_studies(folder: Path) -> list[Path]:
    """Return `folder` if it is a study; else the studies at or below it, sorted."""
    return [folder] if (folder / FOLDER).is_dir() else sorted(studies_by_time(folder))


def run_folders(study: Path) -> list[str]:
    """Return the names of the folders in a study that hold files of a run, sorted."""
    return sorted(
        each.name
        for each in study.iterdir()
        if not each.name.startswith(".") and any((each / name).is_file() for name in (RESULT, HISTORY))
    )


def _holders(study: Study, cohort: Cohort) -> Mapping[str, Holder]:
    holder = study.holder(cohort)
    return {} if holder is None else dict.fromkeys(cohort.runs, holder)


def _state(study: Path, name: str, label: str, config: Mapping[str, Any], holder: Holder | None) -> RunState:
    last: dict[str, float] = {}
    with suppress(OSError, ValueError):
        last = read_last(study / name / HISTORY)
    epoch = int(last["epoch"]) if last else None
    epochs = config.get("epochs")
    try:
        result = read_result(study / name)
    except (OSError, ValueError) as error:
        return RunState(name, label, "unreadable", epoch, epochs, note=str(error))
    if result is not None:
        note = result.error or "" if result.status == "failed" else ""
        return RunState(name, label, result.status, epoch, epochs, result=result, note=note)
    if holder is None:
        return RunState(name, label, "waiting" if epoch is None else "interrupted", epoch, epochs)
    seconds = last["time"] / epoch if epoch else None
    left = None if seconds is None or not epochs else seconds * max(0, epochs - epoch)
    state: State = "stale" if _is_silent(study / name, holder, seconds) else "training"
    return RunState(name, label, state, epoch, epochs, holder, left)


def _is_silent(run: Path, holder: Holder, seconds_an_epoch: float | None) -> bool:
    """Return whether another machine holds a run and has written nothing for long."""
    if holder.host == platform.node():  # the lock itself says that the process lives
        return False
    written = holder.since.timestamp()
    with suppress(OSError):
        written = max(written, (run / HISTORY).stat().st_mtime)
    return time.time() - written > max(SILENT_SECONDS, SILENT_EPOCHS * (seconds_an_epoch or 0.0))


def last_study(root: Path) -> Path | None:
    """Return the study below `root` that was written to last, or None; no run of it needs to have begun."""
    written = studies_by_time(root)
    return max(written, key=lambda study: written[study], default=None)


def studies_by_time(root: Path) -> dict[Path, float]:
    """Return the studies below `root`, each with the time of its last change."""
    written: dict[Path, float] = {}
    for where, folders, files in os.walk(root):
        here = Path(where)
        if FOLDER in folders:
            own = here / FOLDER
            written[here] = max(written.get(here, 0.0), _last_written([own, *own.iterdir()]))
        if RESULT in files or HISTORY in files:
            at = _last_written([here / name for name in files])
            written[here.parent] = max(written.get(here.parent, 0.0), at)
        folders[:] = [name for name in folders if not name.startswith(".")]
    return written


def _last_written(paths: Iterable[Path]) -> float:
    times = [0.0]
    for path in paths:
        with suppress(OSError):  # a file of a run that trains may be replaced at any moment
            times.append(path.lstat().st_mtime)
    return max(times)
