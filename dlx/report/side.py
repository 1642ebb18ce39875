"""One side of `dlx diff`: the runs that an argument names, and rows of what differs between two sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dlx.errors import RequestError
from dlx.report.analysis import find_settings
from dlx.report.design import find_design
from dlx.report.load import StudyData, load_study
from dlx.report.text import write_count
from dlx.run.history import read_columns
from dlx.run.identity import setting_of
from dlx.run.paths import HISTORY
from dlx.run.result import Result, read_result

VALUES = 4  # of one key on one side; more are counted


@dataclass(frozen=True)
class Row:
    """One thing in which the sides differ, and what it is on each."""

    name: str
    first: str
    second: str


class Side:
    """The ended runs that one argument of `dlx diff` names: those of a folder, or of a setting in it."""

    def __init__(self, name: str, folder: Path, setting: str) -> None:
        self.name, self.folder = name, folder
        data = load_study([folder])
        if not len(data.runs):
            reason = next(iter(data.left_out.values()), "")
            raise RequestError(f"{folder}: holds no run that has ended{reason and f'; {reason}'}")
        if setting:
            design = find_design(data.settings)
            chosen = {*find_settings(design, setting, folder.name)}
            data = _restricted(data, [run for run, index in design.of_run.items() if index in chosen])
        self.data = data

    @cached_property
    def results(self) -> dict[str, Result]:
        """The result of each run, by name."""
        read = {run: read_result(Path(folder)) for run, folder in self.data.runs["folder"].items()}
        return {str(run): result for run, result in read.items() if result is not None}

    @property
    def count(self) -> str:
        """How many runs and settings it has, in words."""
        settings = len({setting_of(values) for values in self.data.settings.values()})
        return f"{write_count(len(self.data.runs), 'run')} of {write_count(settings, 'setting')}"

    def a_setting(self, keys: Sequence[str]) -> str:
        """Return the words that choose one of its settings, by its values of `keys`: norm=batch,lr=0.1."""
        values = next(iter(self.data.settings.values()))
        return ",".join(f"{key}={values.get(key)}" for key in keys)

    def history(self, run: str) -> Mapping[str, Any]:
        """Read a run's history by column."""
        return read_columns(Path(str(self.data.runs.loc[run, "folder"])) / HISTORY)


def listed(values: Sequence[str]) -> str:
    """Write the first few values, and how many more there are."""
    more = f" and {len(values) - VALUES} more" if len(values) > VALUES else ""
    return ", ".join(values[:VALUES]) + more


def _restricted(data: StudyData, runs: Sequence[str]) -> StudyData:
    return StudyData(
        data.runs.loc[list(runs)],
        {run: data.settings[run] for run in runs},
        data.histories[data.histories["run"].isin(runs)],
        data.left_out,
    )
