"""A study's looks: when its report was read, with how many seeds, and what that leaves for more of them.

They are in `.study/looks.json`, which only grows. Reading a report that has no new seeds is no new look.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.run.documents import read_json
from dlx.run.files import STUDY_LIMIT
from dlx.run.format_version import refuse_newer
from dlx.run.identity import flatten
from dlx.run.paths import write_atomically
from dlx.study.requests import StudyRun
from dlx.study.study import FOLDER, Study

if TYPE_CHECKING:
    from dlx.run.units import Repeats
    from dlx.stats.sequential import Look  # imports NumPy

FILE = "looks.json"
FORMAT = 1


class Looks:
    """The looks at the study in a folder; a folder without a study has none and keeps none."""

    def __init__(self, folder: Path) -> None:
        self._study = Study(folder)
        self._path = folder / FOLDER / FILE
        self._look: Look | None = None
        self._pairs = 1
        self._warned = False

    def read(self) -> "list[Look]":
        """Return the looks so far, in order; none, after a warning, if the file is damaged."""
        try:
            return read_looks(self._path)
        except ValueError as error:
            self._warn(f"{error}; earlier looks at this study are not counted until the file is deleted")
            return []

    def level(self, runs: Iterable[Mapping[str, Any]]) -> float:
        """Return the level for a report on ended runs, given as flat configurations.

        With fewer than FEWEST units nothing is tested, so such a report is no look.
        """
        from dlx.run.units import count_repeats
        from dlx.stats.intervals import LEVEL
        from dlx.stats.sequential import Look, level_now
        from dlx.stats.tests import FEWEST

        self._look = None
        ended = count_repeats(runs)
        if ended.units < FEWEST or not self._path.parent.is_dir():
            return LEVEL
        try:
            planned = planned_repeats(self._study.runs.values()).units
        except ValueError as error:
            self._warn(f"{error}; this look at the study is not counted")
            return LEVEL
        self._look = Look(ended.units, planned)
        self._pairs = max(1, ended.pairs)
        return level_now(self.read(), self._look.units, self._look.planned, self._pairs)

    def level_with_more(self) -> float:
        """Return the level that is left if this report is read and then as many units again are added."""
        from dlx.stats.intervals import LEVEL
        from dlx.stats.sequential import level_now

        if self._look is None:
            return LEVEL
        before = [look for look in self.read() if look.units < self._look.units]
        units = 2 * self._look.planned
        return level_now([*before, self._look], units, units, self._pairs)

    def record(self) -> None:
        """Record that the report was written whose `level` was asked for; without new units it is no look."""
        if self._look is None:
            return
        try:
            with self._study.locked():
                record_look(self._path, self._look)
        except ValueError:
            pass  # `read` has warned
        except OSError as error:
            self._warn(f"{self._path}: this look could not be recorded ({error.strerror})")

    def _warn(self, text: str) -> None:
        if not self._warned:
            print(f"dlx: {text}", file=sys.stderr)  # `train` also reads them
        self._warned = True


def planned_repeats(runs: Iterable[StudyRun]) -> "Repeats":
    """Count the units and settings that have been asked for."""
    from dlx.run.units import count_repeats

    return count_repeats([flatten(run.config) for run in runs])


def read_looks(path: Path) -> "list[Look]":
    """Return the looks in a file, [] if there is none. Raises ValueError if it cannot be read."""
    try:
        record = read_json(path, STUDY_LIMIT)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    from dlx.stats.sequential import Look

    if isinstance(record, dict):
        refuse_newer(path, record.get("format"), FORMAT)
    try:
        looks = [Look(int(each["units"]), int(each["planned"])) for each in record["looks"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: a look needs its units and planned units") from error
    if any(later.units <= look.units for look, later in pairwise([Look(0, 0), *looks])):
        raise ValueError(f"{path} is damaged: its looks do not have more units each time")
    return looks


def record_look(path: Path, look: "Look") -> None:
    """Add a look that has more units than all before. Raises ValueError if the file is damaged."""
    looks = read_looks(path)
    if looks and look.units <= looks[-1].units:
        return
    entries = read_json(path, STUDY_LIMIT)["looks"] if looks else []
    time = datetime.now(UTC).isoformat(timespec="seconds")
    entries.append({"time": time, "units": look.units, "planned": look.planned})
    write_atomically(path, (json.dumps({"format": FORMAT, "looks": entries}, indent=1) + "\n").encode())


def notice_of_extension(study: Study, runs: Sequence[StudyRun]) -> list[str]:
    """Say at what level a study's report will test once it also has these `runs`; [] if that is LEVEL.

    `study` as it was before they were asked for.
    """
    if not (looks := Looks(study.folder).read()):
        return []
    before = planned_repeats(study.runs.values())
    after = planned_repeats((study.runs | {run.name: run for run in runs}).values())
    if after.units <= max(before.units, looks[-1].units):
        return []
    from dlx.stats.intervals import LEVEL
    from dlx.stats.sequential import level_now

    last, level = looks[-1], level_now(looks, after.units, after.units, max(1, after.pairs))
    read = f"{last.units}" if last.complete else f"{last.units} of {last.planned}"
    now, whole = f"{100 * level:.2g}%", f"{100 * LEVEL:g}%"
    return [
        f"The report of this study was read at {read} {after.unit}s. With more, it tests at {now} instead of",
        f"{whole}, because repeated looks produce false findings. A new study (name=...) of seeds that were",
        f"not used before has its own {whole}.",
    ]
