"""Loads the runs of a study as data frames, one row per run and one per epoch, and why runs are left out."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.errors import RequestError
from dlx.importers.foreign_run import Columns
from dlx.report.any_text import any_text
from dlx.report.design import find_design
from dlx.report.reader import Reader, Unended, write_error
from dlx.report.repeats import find_repeats
from dlx.report.text import write_metric, write_seconds
from dlx.report.versions import find_superseded, forget_moves, name_versions
from dlx.run.history import COLUMNS
from dlx.run.identity import CHOICE, Fingerprints, flatten
from dlx.run.paths import RESULT, find_runs
from dlx.run.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from dlx.report.reader import History

METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
HIGHER = {name: name.endswith("accuracy") for name in METRICS}
COLUMNS_OF_ALL = 50  # of histories together, the most common ones: each takes a number for every epoch
NOTHING_ASKED = Columns()
LISTS = ["classes", "layers"]  # columns of StudyData.runs that hold lists, also in each run's result.json


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class StudyData:
    """The runs of a study.

    `runs`: indexed by `run` (the folder's name below the study), with `folder status error seed monitor
    parameters epochs_run stopped_early seconds device torch last_epoch best_epoch`; for every metric of
    `metrics`, `<metric>_last` and `<metric>_best`, its values at the last epoch and at the epoch that is
    best by the run's `monitor` (NaN if missing); `classes`, the names of the classes; `layers`, the
    result's list of layers, or None.
    `settings`: by run, the resolved configuration with dotted keys, and `choices.GROUP`, the word that chose.
    `histories`: columns `run epoch` and the columns of history.csv, in the order of `runs`.
    `left_out`: by run, or folder that cannot be opened, why it was left out.
    `running`: by run, its progress; it has no result yet, so it is in no other field.
    `metrics`: `METRICS`, then what runs recorded besides. `higher`: by metric, whether higher values are
    better; None if that is unknown.
    `source`: how runs of another program were read, "" for dlx's own; `score`: their metric that ranks.
    `repeats`: how runs differ that were trained more than once, in a sentence; "" if they do not.
    """

    runs: "pd.DataFrame"
    settings: dict[str, dict[str, Any]]
    histories: "pd.DataFrame"
    left_out: dict[str, str]
    running: dict[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = METRICS
    higher: dict[str, bool | None] = field(default_factory=lambda: dict(HIGHER))
    source: str = ""
    score: str = ""
    repeats: str = ""


@dataclass(frozen=True)
class Frames:
    """A study's runs as data frames; `dlx.results.Results` says what each of them holds."""

    runs: "pd.DataFrame"
    histories: "pd.DataFrame"
    settings: "pd.DataFrame"
    swept: list[str]
    left_out: dict[str, str]
    running: dict[str, str]


@any_text()
def frames_of(data: StudyData) -> Frames:
    """Return what was loaded as frames for notebooks."""
    import pandas as pd

    design = find_design(data.settings)
    swept = [*design.keys, *design.seeds]
    settings = pd.DataFrame.from_dict(data.settings, orient="index").rename_axis("run")
    # Columns keep their types: a learning rate is a number to group and plot by.
    chosen = settings[swept] if swept else pd.DataFrame(index=data.runs.index)
    own = data.runs.drop(columns=LISTS)
    runs = chosen.join(own.drop(columns=[name for name in own.columns if name in swept]))
    measured = list(data.histories.columns)
    apart = [name for name in chosen.columns if name not in measured]  # a key may be named like a metric
    histories = data.histories.join(chosen[apart], on="run")
    histories = histories[["run", *apart, *(name for name in measured if name != "run")]]
    return Frames(runs, histories, settings, swept, data.left_out, data.running)


@any_text()
def load_any(places: Sequence[Path], columns: Columns = NOTHING_ASKED) -> StudyData:
    """Load the runs of dlx in folders, or, where there is none, those of other programs in folders and files.

    `columns`: what the files of other programs hold, where dlx should not guess. Raises RequestError if such
    files are ambiguous, or if there is no run in a file.
    """
    if all(place.is_dir() for place in places):
        data = load_study(places)
        if len(data.runs) or data.left_out or data.running:
            if columns.named:
                raise RequestError(
                    "--setting, --seed, --run and --epoch are for runs of other programs; "
                    "a study of dlx takes --by"
                )
            return data
    from dlx.report.foreign import load_foreign  # rarely needed

    return load_foreign(places, columns)


@any_text()
def load_study(folders: Iterable[Path], reader: Reader | None = None) -> StudyData:
    """Load every run at or below `folders`; a run that has not ended or cannot be read is left out.

    `reader` remembers what it has read, for a study that is loaded again and again. The frames are empty if
    nothing could be read.
    """
    import pandas as pd

    reader = reader or Reader()
    results: dict[str, Result] = {}
    settings: dict[str, dict[str, Any]] = {}
    histories: dict[str, History] = {}
    fingerprints: dict[str, Fingerprints] = {}
    left_out: dict[str, str] = {}
    running: dict[str, str] = {}
    higher: dict[str, bool | None] = dict(HIGHER)
    folders_of: dict[str, Path] = {}
    now = reader.clock()
    for run, folder in _named(list(folders), left_out).items():
        try:
            read = reader.read(folder)
        except ValueError as error:
            left_out[run] = str(error)
            continue
        if isinstance(read, Unended):
            (running if read.running(now) else left_out)[run] = _progress(read, now)
            continue
        higher |= {name: read.result.higher_is_better(name) for name in _own_metrics(read.result)}
        results[run], folders_of[run] = read.result, folder
        choices = {f"{CHOICE}{group}": choice for group, choice in read.result.choices.items()}
        settings[run] = flatten(read.result.config) | choices
        fingerprints[run] = read.result.fingerprints or Fingerprints()
        if read.history is not None:
            histories[run] = read.history
    forget_moves(settings, fingerprints)
    superseded = find_superseded(settings, fingerprints, folders_of)
    remaining = {run: values for run, values in settings.items() if run not in superseded}
    repeats = find_repeats(results, remaining)
    for run, reason in (superseded | repeats.left_out).items():
        left_out[run] = reason
        del results[run], settings[run]
    name_versions(settings, fingerprints, folders_of)
    rows = {
        run: _row(folders_of[run], result, (*METRICS, *_own_metrics(result)))
        for run, result in results.items()
    }
    return StudyData(
        pd.DataFrame.from_dict(rows, orient="index", columns=columns_of(higher)).rename_axis("run"),
        settings,
        joined({run: history for run, history in histories.items() if run in rows}),
        left_out,
        running,
        tuple(higher),
        higher,
        repeats=repeats.sentence,
    )


def _own_metrics(result: Result) -> list[str]:
    """Return the columns of a run's metrics=[...], as far as its last row has them.

    A name that is no identifier was not written by dlx: it could hold anything.
    """
    names = [name for name in result.metrics if name.isidentifier()]
    columns = [f"{split}_{name}" for split in ("train", "val") for name in names]
    return [column for column in columns if column in result.last][:COLUMNS_OF_ALL]


def _named(folders: list[Path], left_out: dict[str, str]) -> dict[str, Path]:
    """Name each run by its path below its folder, preceded by the folder's name if there are several.

    Folders that cannot be opened are added to `left_out`, as they may contain runs.
    """
    runs: dict[str, Path] = {}
    seen = set()

    def note(error: OSError) -> None:
        left_out[str(error.filename)] = write_error(error, Path(str(error.filename)))

    for folder in folders:
        for run in find_runs(folder, note):
            if (path := run.resolve()) in seen:
                continue
            seen.add(path)
            alone = path == folder.resolve()  # the folder is the run itself, or a link to it
            name = path.name if alone else run.relative_to(folder).as_posix()
            if len(folders) > 1 and not alone:
                name = f"{folder.resolve().name}/{name}"
            runs[name if name not in runs else str(run)] = run
    return runs


def _progress(read: Unended, now: float) -> str:
    """Describe the progress of a run without a result."""
    row = read.row
    text = f"epoch {row['epoch']:.0f}" + (f" of {read.epochs}" if read.epochs else "")
    metrics = [name for name in ("val_accuracy", "val_loss") if math.isfinite(row[name])]
    text += "".join(f", {name.replace('_', ' ')} {write_metric(name, row[name])}" for name in metrics[:1])
    if read.running(now):
        return text
    return f"no {RESULT}: interrupted at {text}, or silent for {write_seconds(read.silent(now))} s"


_COLUMNS = (
    *("folder", "status", "error", "seed", "monitor", "parameters", "epochs_run", "stopped_early"),
    *("seconds", "device", "torch", "classes", "layers", "last_epoch", "best_epoch"),
)


def columns_of(metrics: Iterable[str]) -> list[str]:
    """Return the columns of StudyData.runs."""
    return [*_COLUMNS, *(f"{metric}_{rule}" for rule in ("last", "best") for metric in metrics)]


def _row(folder: Path, result: Result, metrics: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "folder": str(folder),
        "status": result.status,
        "error": result.error,
        "seed": result.config.get("seed"),
        "monitor": result.monitored if "monitor" in result.config else None,
        "parameters": result.parameters,
        "epochs_run": result.epochs_run,
        "stopped_early": result.stopped_early,
        "seconds": _number(result.time_seconds),
        "device": result.device,
        "torch": result.versions.get("torch"),
        "classes": result.data.get("classes"),
        "layers": getattr(result, "layers", None),  # older results have none
    }
    for rule, values in (("last", result.last), ("best", result.best)):
        row[f"{rule}_epoch"] = _number(values.get("epoch"))
        row |= {f"{metric}_{rule}": _number(values.get(metric)) for metric in metrics}
    return row


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def joined(histories: "dict[str, History]") -> "pd.DataFrame":
    """Stack the histories, with NaN where a run lacks a column; pandas takes ten times as long for 2000."""
    import numpy as np
    import pandas as pd

    if not histories:
        return pd.DataFrame(columns=["run", *COLUMNS]).astype({"epoch": "int64", "step": "int64"})
    lengths = [len(history["epoch"]) for history in histories.values()]
    columns: dict[str, Any] = {"run": np.repeat(np.array(list(histories), dtype="object"), lengths)}
    having = Counter(name for history in histories.values() for name in history)
    for name in [name for name, _ in having.most_common(COLUMNS_OF_ALL)]:
        columns[name] = np.concatenate(
            [
                history.get(name, np.full(length, np.nan))
                for history, length in zip(histories.values(), lengths, strict=True)
            ]
        )
    return pd.DataFrame(columns)
