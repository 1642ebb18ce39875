"""Run folders -> tidy frames: one row a run, one row an epoch, and what could not be read with its reason."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.report.reader import Reader, Unended, write_error
from dlx.report.text import write_metric, write_seconds
from dlx.run.history import COLUMNS
from dlx.run.identity import comparable, flatten, requested
from dlx.run.paths import RESULT, find_runs
from dlx.run.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from dlx.report.reader import History

METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
PREFERENCE = ("completed", "diverged", "failed")  # of runs with equal settings the first is kept


@dataclass(frozen=True, eq=False)  # one is itself alone, and can be a key
class StudyData:
    """What was read.

    `runs`: indexed by `run` (the folder's name below the study), with `folder status error seed monitor
    parameters epochs_run stopped_early seconds device torch last_epoch best_epoch` and, for every metric
    of `METRICS`, `<metric>_last` and `<metric>_best`: the values at the last epoch and at the epoch that
    is best by the run's `monitor` (NaN where there is none); `classes`: the names of the data's classes;
    `layers`: the result's list of layers, as it stands there, or None.
    `settings`: by run, the resolved configuration with dotted keys.
    `histories`: columns `run epoch` and the columns of history.csv, in the order of `runs`.
    `left_out`: by run (or folder that cannot be looked into), why it is not among them.
    `running`: by run, how far it is; it has no result yet, so it is in no other field.
    """

    runs: "pd.DataFrame"
    settings: dict[str, dict[str, Any]]
    histories: "pd.DataFrame"
    left_out: dict[str, str]
    running: dict[str, str] = field(default_factory=dict)


def load(folders: Iterable[Path], reader: Reader | None = None) -> StudyData:
    """Read every run at or below `folders`; what has not ended or cannot be read is left out by name.

    `reader` remembers what it has read, for a study that is loaded again and again. Returns empty frames
    if nothing could be read.
    """
    import pandas as pd

    reader = reader or Reader()
    rows: dict[str, dict[str, Any]] = {}
    settings: dict[str, dict[str, Any]] = {}
    histories: dict[str, History] = {}
    left_out: dict[str, str] = {}
    running: dict[str, str] = {}
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
        rows[run] = _row(folder, read.result)
        settings[run] = flatten(read.result.config)
        if read.history is not None:
            histories[run] = read.history
    for run, reason in _repeats(rows, settings).items():
        left_out[run] = reason
        del rows[run], settings[run]
    return StudyData(
        pd.DataFrame.from_dict(rows, orient="index", columns=list(_COLUMNS)).rename_axis("run"),
        settings,
        _joined({run: history for run, history in histories.items() if run in rows}),
        left_out,
        running,
    )


def _named(folders: list[Path], left_out: dict[str, str]) -> dict[str, Path]:
    """Name each run by its path below the folder asked for, with that folder's name if there are several.

    Folders that cannot be looked into go to `left_out`: there may be runs in them.
    """
    runs: dict[str, Path] = {}
    seen = set()

    def note(error: OSError) -> None:
        left_out[str(error.filename)] = write_error(error, Path(str(error.filename)))

    for folder in folders:
        for run in find_runs(folder, note):
            if (place := run.resolve()) in seen:
                continue
            seen.add(place)
            below = run.relative_to(folder).as_posix()
            name = place.name if below == "." else below
            if len(folders) > 1 and below != ".":
                name = f"{folder.resolve().name}/{name}"
            runs[name if name not in runs else str(run)] = run
    return runs


def _progress(read: Unended, now: float) -> str:
    """Say how far a run without a result is."""
    row = read.row
    words = f"epoch {row['epoch']:.0f}" + (f" of {read.epochs}" if read.epochs else "")
    metrics = [name for name in ("val_accuracy", "val_loss") if math.isfinite(row[name])]
    words += "".join(f", {name.replace('_', ' ')} {write_metric(name, row[name])}" for name in metrics[:1])
    if read.running(now):
        return words
    return f"no {RESULT}: interrupted at {words}, or silent for {write_seconds(read.silent(now))} s"


_COLUMNS = (
    *("folder", "status", "error", "seed", "monitor", "parameters", "epochs_run", "stopped_early"),
    *("seconds", "device", "torch", "classes", "layers", "last_epoch", "best_epoch"),
    *(f"{metric}_{rule}" for rule in ("last", "best") for metric in METRICS),
)


def _row(folder: Path, result: Result) -> dict[str, Any]:
    row: dict[str, Any] = {
        "folder": str(folder),
        "status": result.status,
        "error": result.error,
        "seed": result.config.get("seed"),
        "monitor": monitor if isinstance(monitor := result.config.get("monitor"), str) else None,
        "parameters": result.parameters,
        "epochs_run": result.epochs_run,
        "stopped_early": result.stopped_early,
        "seconds": _number(result.time_seconds),
        "device": result.device,
        "torch": result.versions.get("torch"),
        "classes": result.data.get("classes"),
        "layers": getattr(result, "layers", None),  # results of before it was written have none
    }
    for rule, values in (("last", result.last), ("best", result.best)):
        row[f"{rule}_epoch"] = _number(values.get("epoch"))
        row |= {f"{metric}_{rule}": _number(values.get(metric)) for metric in METRICS}
    return row


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _repeats(rows: dict[str, dict[str, Any]], settings: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Find runs with equal settings and seeds: one result seen twice must not count as two.

    It happens when studies that share runs are reported together. A run that ended better is kept, since
    the other is most often a crash that was put right.
    """
    kept: dict[str, str] = {}
    repeats: dict[str, str] = {}
    for run in sorted(rows, key=lambda run: PREFERENCE.index(rows[run]["status"])):
        first = kept.setdefault(comparable(requested(settings[run])), run)
        if first != run:
            repeats[run] = f"the same settings and seeds as {first}"
    return repeats


def _joined(histories: "dict[str, History]") -> "pd.DataFrame":
    """Stack histories, NaN where a run has no such column; 2000 frames would take ten times as long."""
    import numpy as np
    import pandas as pd

    if not histories:
        return pd.DataFrame(columns=["run", *COLUMNS]).astype({"epoch": "int64", "step": "int64"})
    lengths = [len(history["epoch"]) for history in histories.values()]
    columns: dict[str, Any] = {"run": np.repeat(np.array(list(histories), dtype="object"), lengths)}
    for name in dict.fromkeys(name for history in histories.values() for name in history):
        columns[name] = np.concatenate(
            [
                history.get(name, np.full(length, np.nan))
                for history, length in zip(histories.values(), lengths, strict=True)
            ]
        )
    return pd.DataFrame(columns)
