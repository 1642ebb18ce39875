"""Read the files that runs leave beside their histories: only those that are drawn; damage never raises."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import pandas as pd

from dlx.report.charts import Chart
from dlx.report.text import visible
from dlx.run.files import write_size

if TYPE_CHECKING:
    from dlx.report.analysis import Analysis

T = TypeVar("T")
RUNS = 30  # read for each setting: more change a mean little and make the report slow
MEMORY = 200_000_000  # bytes of contents at one time: packed files of a few kB may hold 40 MB each
NAMED = 5  # damaged runs named in a caption


@dataclass(frozen=True)
class RunFiles(Generic[T]):
    """The contents of one file of completed runs, in the order of the table.

    `by_setting`: contents by label, then by run. `file`: its name. `damaged`: runs whose file could not be
    read. `settings`: how many settings have the file. `thinned`: which runs of a setting are read, "" if all.
    """

    by_setting: dict[str, dict[str, T]]
    file: str
    damaged: list[str]
    settings: int
    thinned: str

    @property
    def several(self) -> bool:
        """Whether a setting has more than one run."""
        return any(len(runs) > 1 for runs in self.by_setting.values())

    def means(self, what: str) -> str:
        """Write whether `what` (lines or bars) are means over a setting's runs or single runs."""
        kind = "means over a setting's completed runs" if self.several else "single runs"
        return f"{what} are {kind}"

    def caption(self, sentences: Sequence[str]) -> str:
        """Return the sentences, followed by what the plot leaves out."""
        sentences = [*sentences]
        if self.by_setting and len(self.by_setting) < self.settings:
            shown = f"{len(self.by_setting)} of the {self.settings}"
            sentences.append(f"Only the first {shown} settings that have {self.file} are drawn")
        if self.thinned:
            sentences.append(self.thinned)
        if self.damaged:
            sentences.append(self.damage)
        return ". ".join(sentences) + "."

    @property
    def damage(self) -> str:
        """Name the runs whose file is damaged; only the first few if there are many."""
        named = ", ".join(visible(run) for run in self.damaged[:NAMED])
        more = f" and {len(self.damaged) - NAMED} more" if len(self.damaged) > NAMED else ""
        return f"Left out because {self.file} is damaged: {named}{more}"

    def keep(self, wanted: Callable[[T], bool]) -> "RunFiles[T]":
        """Keep the contents that are wanted, and the settings that have any."""
        kept = {
            label: {run: content for run, content in runs.items() if wanted(content)}
            for label, runs in self.by_setting.items()
        }
        return replace(self, by_setting={label: runs for label, runs in kept.items() if runs})

    def nothing_drawn(self, name: str, title: str) -> list[Chart]:
        """Return a chart that only names the damaged runs, or no chart if there are none."""
        return [Chart(name, title, self.caption([]), None)] if self.damaged else []


def read_first(
    analysis: "Analysis", file: str, read: Callable[[Path], T | None], settings: int
) -> RunFiles[T]:
    """Read `file` with `read` for the runs of the first settings in the table that have it.

    The files of other settings are not opened. A setting whose files are all damaged does not count.
    """
    by_setting: dict[str, dict[str, T]] = {}
    damaged: list[str] = []
    having, thinned, room = 0, "", MEMORY
    for label, runs in _completed_folders(analysis).items():
        holding = {run: folder for run, folder in runs.items() if os.path.lexists(folder / file)}
        having += bool(holding)
        if len(by_setting) == settings:
            continue
        if len(holding) > RUNS:
            thinned = f"Only the first {RUNS} runs of each setting are read"
        loaded: dict[str, T] = {}
        for run, folder in list(holding.items())[:RUNS]:
            if room < 0:
                thinned = f"Only the first runs are read, because those take {write_size(MEMORY)}"
                break
            try:
                content = read(folder)
            except (ValueError, OSError):
                damaged.append(run)
                continue
            if content is not None:
                loaded[run] = content
                room -= _bytes(content)
        if loaded:
            by_setting[label] = loaded
    return RunFiles(by_setting, file, damaged, having, thinned)


def _bytes(content: object) -> int:
    if isinstance(content, pd.DataFrame):
        return int(content.memory_usage(deep=True).sum())
    parts = content if isinstance(content, tuple) else getattr(content, "__dict__", {}).values()
    return sum(int(getattr(part, "nbytes", 0)) for part in parts)


def _completed_folders(analysis: "Analysis") -> dict[str, dict[str, Path]]:
    """Return the folders of completed runs by label, in the order of the table, then by run."""
    table, runs = analysis.summary.table, analysis.data.runs
    labels = dict(zip(table["setting"], table["label"], strict=True))
    folders: dict[str, dict[str, Path]] = {label: {} for label in labels.values()}
    for run, folder in runs.loc[runs["status"] == "completed", "folder"].items():
        folders[labels[analysis.design.of_run[str(run)]]][str(run)] = Path(folder)
    return folders


def read_tables(
    analysis: "Analysis", file: str, read: Callable[[Path], pd.DataFrame | None], settings: int
) -> RunFiles[pd.DataFrame]:
    """Read tables as `read_first` does, without those that have no rows."""
    return read_first(analysis, file, read, settings).keep(lambda table: len(table) > 0)


def join_tables(files: RunFiles[pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of all runs into one with two more columns, `label` and `run`."""
    tables = [
        table.assign(label=label, run=run)
        for label, runs in files.by_setting.items()
        for run, table in runs.items()
    ]
    return pd.concat(tables, ignore_index=True)
