"""Reads what runs left beside their histories: no more than is drawn, damage named and not raised."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from dlx.report.charts import Chart
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.summary import Summary
from dlx.report.text import visible

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
RUNS = 30  # of a setting are read: beyond, a mean changes little and the report waits
NAMED = 5  # damaged runs named in a caption


@dataclass(frozen=True)
class Found(Generic[T]):
    """What completed runs hold in one file, the table's first setting first.

    `by_setting`: by label, then by run. `file`: its name. `damaged`: runs whose file could not be read.
    `settings`: how many have the file. `thinned`: whether only the first `RUNS` runs of a setting were read.
    """

    by_setting: dict[str, dict[str, T]]
    file: str
    damaged: list[str]
    settings: int
    thinned: bool

    @property
    def several(self) -> bool:
        """Say whether a setting has more than one run."""
        return any(len(runs) > 1 for runs in self.by_setting.values())

    def means(self, what: str) -> str:
        """Say what the lines or bars are: means over a setting's runs, or single runs."""
        return (
            f"{what} are means over the completed runs of a setting"
            if self.several
            else f"{what} are single runs"
        )

    def caption(self, sentences: Sequence[str]) -> str:
        """Return the sentences, and what of the study the picture does not show."""
        sentences = [*sentences]
        if self.by_setting and len(self.by_setting) < self.settings:
            shown = f"{len(self.by_setting)} of {self.settings}"
            sentences.append(f"Drawn are {shown} settings that have {self.file}, the table's first")
        if self.thinned:
            sentences.append(f"Of each setting the first {RUNS} runs")
        if self.damaged:
            sentences.append(self.damage)
        return ". ".join(sentences) + "."

    @property
    def damage(self) -> str:
        """Name the runs whose file is damaged, the first few if they are many."""
        named = ", ".join(visible(run) for run in self.damaged[:NAMED])
        more = f" and {len(self.damaged) - NAMED} more" if len(self.damaged) > NAMED else ""
        return f"Left out because {self.file} is damaged: {named}{more}"

    def keeping(self, wanted: Callable[[T], bool]) -> "Found[T]":
        """Return the part whose content is wanted, without settings that have none left."""
        kept = {
            label: {run: content for run, content in runs.items() if wanted(content)}
            for label, runs in self.by_setting.items()
        }
        return replace(self, by_setting={label: runs for label, runs in kept.items() if runs})

    def instead(self, name: str, title: str) -> list[Chart]:
        """Return what to show where nothing could be read: the names of damaged runs, if there are any."""
        return [Chart(name, title, self.caption([]), None)] if self.damaged else []


def read_first(
    study: StudyData,
    layout: Design,
    summary: Summary,
    file: str,
    read: Callable[[Path], T | None],
    settings: int,
) -> Found[T]:
    """Read `file` with `read` of the runs of the first `settings` settings that have it.

    Nothing is opened beyond those; a setting all of whose files are damaged takes no place.
    """
    by_setting: dict[str, dict[str, T]] = {}
    damaged: list[str] = []
    having, thinned = 0, False
    for label, runs in completed_runs(study, layout, summary).items():
        holding = {run: folder for run, folder in runs.items() if (folder / file).is_file()}
        having += bool(holding)
        if len(by_setting) == settings:
            continue
        thinned |= len(holding) > RUNS
        loaded: dict[str, T] = {}
        for run, folder in list(holding.items())[:RUNS]:
            try:
                content = read(folder)
            except (ValueError, OSError):
                damaged.append(run)
                continue
            if content is not None:
                loaded[run] = content
        if loaded:
            by_setting[label] = loaded
    return Found(by_setting, file, damaged, having, thinned)


def completed_runs(study: StudyData, layout: Design, summary: Summary) -> dict[str, dict[str, Path]]:
    """Return the folders of completed runs by label, in the order of the table, then by run."""
    labels = dict(zip(summary.table["setting"], summary.table["label"], strict=True))
    runs: dict[str, dict[str, Path]] = {label: {} for label in labels.values()}
    completed = study.runs[study.runs["status"] == "completed"]
    for run, folder in completed["folder"].items():
        runs[labels[layout.of_run[str(run)]]][str(run)] = Path(folder)
    return {label: folders for label, folders in runs.items() if folders}


def joined(tables: "dict[str, dict[str, pd.DataFrame]]") -> "pd.DataFrame":
    """Stack the tables of runs with two columns more, `label` and `run`."""
    import pandas as pd

    parts = [
        table.assign(label=label, run=run) for label, runs in tables.items() for run, table in runs.items()
    ]
    return pd.concat(parts, ignore_index=True)
