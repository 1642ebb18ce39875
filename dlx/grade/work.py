"""Reads the runs of a student or of the reference as plain numbers; nothing in their folder is executed."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dlx.errors import RequestError
from dlx.importers.foreign_run import Columns
from dlx.report.load import load_any
from dlx.report.text import write_count
from dlx.reproduce.claim import Moment
from dlx.reproduce.measure import PARAMETERS, write_moment
from dlx.reproduce.where import PlannedRun
from dlx.run.documents import shorten
from dlx.run.evaluations import read_evaluations
from dlx.run.identity import CHOICE
from dlx.run.paths import find_runs
from dlx.run.result import Result, read_result

MOST_RUNS = 1000  # of a student: an assignment has a few, and each is read whole
TELLING = 5  # numbers of a history below which two may be equal by chance


class NoValueError(ValueError):
    """A run has no value of a figure; the message says why."""


@dataclass(frozen=True, eq=False)
class HandedInRun:
    """One run. `settings`: flat, with `choices.GROUP`. `row`: of StudyData.runs. `history`: by column.

    `result`: of a run of dlx, None for one of another program.
    """

    name: str
    settings: Mapping[str, Any]
    row: Mapping[str, Any]
    history: "Mapping[str, np.ndarray[Any, Any]]"
    result: Result | None = None

    @property
    def status(self) -> str:
        """How it ended: completed, diverged or failed."""
        return str(self.row["status"])

    @property
    def planned(self) -> PlannedRun:
        """The parts that a `where` is matched with."""
        choices = {
            key.removeprefix(CHOICE): value for key, value in self.settings.items() if key.startswith(CHOICE)
        }
        return PlannedRun(0, self.settings, choices)

    def samples(self, metric: str) -> int | None:
        """Return how many samples a metric is measured on; None if that is unknown."""
        count = self.result.data.get(metric.partition("_")[0]) if self.result else None
        return count if isinstance(count, int) and count > 0 else None

    def value(self, metric: str, at: Moment) -> float:
        """Return a figure of the run. Raises NoValueError if there is none, or if its files disagree."""
        found = self._test(metric) if at == "test" else self._at(metric, at)
        if found is None or not math.isfinite(found):
            where = "" if metric == PARAMETERS else f" at {write_moment(at)}"
            raise NoValueError(f"no {metric.replace('_', ' ')}{where}")
        return found

    def _at(self, metric: str, at: Moment) -> float | None:
        if metric == PARAMETERS:
            return self._number(PARAMETERS)
        values = self.history.get(metric)
        if isinstance(at, int):
            return float(values[at]) if values is not None and at < len(values) else None
        stated, epoch = self._number(f"{metric}_{at}"), self._number(f"{at}_epoch")
        if values is None or epoch is None:
            return stated
        if not epoch.is_integer() or not 0 <= epoch < len(values):
            raise NoValueError(f"result.json names epoch {epoch:g} of a history of {len(values) - 1}")
        written = float(values[int(epoch)])
        if stated is not None and not math.isclose(stated, written, rel_tol=1e-6, abs_tol=1e-12):
            raise NoValueError(
                f"result.json says {stated:.6g} for {metric.replace('_', ' ')}, history.csv {written:.6g}"
            )
        return written

    def _test(self, metric: str) -> float | None:
        if self.result is None:
            return self._number(f"{metric}_last")
        looks = [look for look in read_evaluations(Path(str(self.row["folder"]))) if look.split == "test"]
        if not looks:
            raise NoValueError("no recorded test score (dlx evaluate)")
        name = metric.removeprefix("test_")
        found = {"loss": looks[-1].loss, "accuracy": looks[-1].accuracy, **looks[-1].metrics}.get(name)
        return None if found is None else float(found)

    def _number(self, column: str) -> float | None:
        value = self.row.get(column)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            return None
        return float(value) if math.isfinite(value) else None

    @cached_property
    def numbers(self) -> str:
        """A hash of all that it measured, without times; "" if that is too little to tell runs apart."""
        names = sorted(name for name in self.history if name not in ("epoch", "step", "time", "run"))
        columns = [np.asarray(self.history[name], dtype="float64") for name in names]
        if sum(int(np.isfinite(column).sum()) for column in columns) < TELLING:
            return ""
        content = hashlib.sha256()
        for name, column in zip(names, columns, strict=True):
            if np.isfinite(column).any():
                content.update(f"{name}:".encode(errors="backslashreplace") + column.tobytes())
        return content.hexdigest()

    @property
    def times(self) -> bytes:
        """The seconds at which its epochs ended, which no two trainings share; b"" if unknown."""
        times = np.asarray(self.history.get("time", ()), dtype="float64")
        return times.tobytes() if np.isfinite(times).sum() > 1 else b""


def read_work(path: Path, columns: Columns) -> list[HandedInRun]:
    """Read the ended runs in a folder or a table. Raises ValueError or OSError if there is none."""
    if path.is_symlink():
        raise ValueError("it is a symbolic link, which is not followed")
    if path.is_dir():
        if len(find_runs(path)) > MOST_RUNS:
            raise ValueError(f"it holds more than {MOST_RUNS:,} runs")
    elif path.suffix.lower() not in (".csv", ".tsv"):
        raise ValueError("it is neither a folder nor a CSV table; unpack an archive first")
    try:
        data = load_any([path], columns)
    except RequestError as error:
        raise ValueError(_plain(error, path)) from error
    if data.runs.empty:
        raise ValueError(_nothing(data.left_out | data.running))
    histories = {
        str(run): {str(name): column.to_numpy() for name, column in frame.items() if name != "run"}
        for run, frame in data.histories.groupby("run", sort=False)
    }
    rows = {str(run): dict(row) for run, row in data.runs.T.items()}
    own = not data.source
    return [
        HandedInRun(
            run,
            data.settings[run],
            row,
            histories.get(run, {}),
            read_result(Path(str(row["folder"]))) if own else None,
        )
        for run, row in rows.items()
    ]


def _nothing(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return "it holds no run"
    run, reason = next(iter(left_out.items()))
    return f"none of its {write_count(len(left_out), 'run')} has ended: {shorten(run)}: {shorten(reason)}"


def _plain(error: Exception, path: Path) -> str:
    """Return a reason without the path, which the row names, and without a flag that nobody gave."""
    said = str(error).replace(f"{path}: ", "").replace(str(path), path.name)
    return shorten(said.removeprefix("--metric: "))


def distinct(runs: Sequence[HandedInRun]) -> list[HandedInRun]:
    """Return the runs without copies: one whose numbers are those of an earlier one counts once."""
    seen: set[str] = set()
    kept = []
    for run in runs:
        if not run.numbers or run.numbers not in seen:
            kept.append(run)
            seen.add(run.numbers)
    return kept
