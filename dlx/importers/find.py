"""Finds the runs of other programs in files and folders, whichever of the known formats they have."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dlx.errors import RequestError
from dlx.importers.csv_table import runs_of_table
from dlx.importers.foreign_run import Columns, ForeignRun
from dlx.importers.keras import is_log, run_of_log
from dlx.importers.lightning import METRICS, SETTINGS, read_lightning
from dlx.importers.mlflow import is_mlflow_run, read_mlflow
from dlx.importers.mlflow_database import ENDINGS, is_mlflow_database, read_mlflow_database
from dlx.importers.table import read_text_table
from dlx.importers.tensorboard import is_event_file, read_tensorboard, run_folder
from dlx.importers.wandb import is_wandb_file, read_wandb
from dlx.run.paths import REPORT

EventFiles = list[tuple[Path, str]]  # each with the split that it holds
MOST_RUNS = 20_000
MOST_FILES = 200_000  # looked at below the folders


@dataclass
class Found:
    """What lies in the given places: `runs`, why others were `left_out` by name, and their `format`."""

    runs: list[ForeignRun] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    format: str = ""

    def add(self, name: str, read: Callable[[], ForeignRun | None]) -> None:
        """Add a run, or why it cannot be read."""
        try:
            run = read()
        except RequestError:
            raise
        except (ValueError, OSError) as error:
            self.left_out[name] = str(error)
            return
        if run is not None:
            self.runs.append(run)


@dataclass
class _Places:
    """Where each format was found: a folder or file, and a name for its run."""

    databases: list[Path] = field(default_factory=list)  # of MLflow
    mlflow: dict[Path, tuple[str]] = field(default_factory=dict)
    wandb: dict[Path, tuple[str]] = field(default_factory=dict)
    lightning: dict[Path, tuple[str]] = field(default_factory=dict)
    tensorboard: dict[Path, tuple[str, EventFiles]] = field(default_factory=dict)
    csv: dict[Path, str] = field(default_factory=dict)


def read_runs(paths: Sequence[Path], asked: Columns) -> Found:
    """Read the runs in files and below folders; of several formats in one folder only the richest counts.

    Raises RequestError if there is none, or if a table is ambiguous.
    """
    places = _Places()
    for path in paths:
        _look(path, places, several=len(paths) > 1)
    found = Found()
    _read_databases(places.databases, found)
    for words, read, folders in (
        ("MLflow's file store", read_mlflow, places.mlflow),
        ("offline runs of W&B", read_wandb, places.wandb),
        ("logs of Lightning", read_lightning, places.lightning),
        ("event files of TensorBoard", partial(_read_events, places.tensorboard), places.tensorboard),
    ):
        if folders and not found.format:
            found.format = words
            for folder, (name, *_) in folders.items():
                found.add(name, partial(read, folder, name))
    found.runs = [_ordered(run) for run in found.runs]
    found.runs.sort(key=lambda run: run.name)  # the names of their folders may mean nothing
    if not found.format:
        _read_tables(places.csv, asked, found)
    if len(found.runs) > MOST_RUNS:
        raise RequestError(f"{paths[0]}: more than {MOST_RUNS:,} runs; name a part of them")
    found.runs = _unique_names(found.runs)
    return found


def _read_databases(files: Sequence[Path], found: Found) -> None:
    for file in files:
        found.format = "MLflow's database"
        try:
            found.runs += read_mlflow_database(file)
        except (ValueError, OSError) as error:
            found.left_out[file.name] = str(error)


def _read_events(files: "dict[Path, tuple[str, EventFiles]]", folder: Path, name: str) -> ForeignRun:
    return read_tensorboard(folder, name, files[folder][1])


def _look(path: Path, places: _Places, *, several: bool) -> None:
    """Note what lies at or below a path."""
    if path.is_file():
        if path.name.lower().endswith(ENDINGS) and not is_mlflow_database(path):
            raise RequestError(
                f"{path}: not an MLflow database in SQLite, the only kind of database that dlx reads"
            )
        _note_file(path, path.parent, path.stem if not several else path.name, places)
        return
    count = 0
    for where, folders, files in os.walk(path):
        folders[:] = sorted(each for each in folders if each not in (REPORT, ".git") and each[0] != ".")
        here, below = Path(where), Path(where).relative_to(path).as_posix()
        name = path.resolve().name if below == "." else below
        name = f"{path.resolve().name}/{name}" if several and below != "." else name
        count += len(files)
        if count > MOST_FILES:
            raise RequestError(f"{path}: more than {MOST_FILES:,} files; name a folder below it")
        if is_mlflow_run(here, folders, files):
            places.mlflow[here] = (name,)
            folders[:] = []
        elif METRICS in files and SETTINGS in files:
            places.lightning[here] = (name,)
        else:
            for file in sorted(files):
                _note_file(here / file, path, _below(here / file, path), places)


def _below(file: Path, top: Path) -> str:
    """Name a file by its path below `top`, without its ending, or by its folder if that has one such file."""
    return file.relative_to(top).with_suffix("").as_posix()


def _note_file(file: Path, top: Path, name: str, places: _Places) -> None:
    if is_event_file(file.name):
        folder, split = run_folder(file.parent, top)
        named = folder.name if folder == top else folder.relative_to(top).as_posix()
        places.tensorboard.setdefault(folder, (named, []))[1].append((file, split))
    elif is_wandb_file(file.name):
        places.wandb[file] = (name,)
    elif is_mlflow_database(file):
        places.databases.append(file)
    elif file.suffix.lower() in (".csv", ".tsv") or (file.parent == top and file.suffix.lower() == ".txt"):
        places.csv[file] = name


def _read_tables(files: dict[Path, str], asked: Columns, found: Found) -> None:
    """Read CSV files: each holds many runs, or is the log of one."""
    logs = False
    for path, name in files.items():
        table = read_text_table(path)
        if not (asked.run or asked.setting or asked.seed) and is_log(table, several=len(files) > 1):
            named = _folder_name(name) if len({file.name for file in files}) == 1 else name
            found.runs.append(run_of_log(table, named))
            logs = True
        else:
            found.runs += runs_of_table(table, asked)
    found.format = "CSV logs, one a run" if logs else "a CSV table" if len(files) == 1 else "CSV tables"


def _folder_name(name: str) -> str:
    """Name a log by its folder, where all logs have one file name."""
    return name.rpartition("/")[0] or name


def _ordered(run: ForeignRun) -> ForeignRun:
    """Order a run's settings, which some formats keep in no order: choices first, then numbers, by name."""
    choices = sorted(run.settings, key=lambda key: (not isinstance(run.settings[key], str), key))
    return replace(run, settings={key: run.settings[key] for key in choices})


def _unique_names(runs: Sequence[ForeignRun]) -> list[ForeignRun]:
    """Add numbers to names that several runs have."""
    counts: dict[str, int] = {}
    unique = []
    for run in runs:
        counts[run.name] = counts.get(run.name, 0) + 1
        number = counts[run.name]
        unique.append(run if number == 1 else replace(run, name=f"{run.name} ({number})"))
    return unique
