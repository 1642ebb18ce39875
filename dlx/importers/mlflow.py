"""MLflow's file store: mlruns/EXPERIMENT/RUN/ with meta.yaml, params/, metrics/ and tags/ as plain files.

https://mlflow.org/docs/latest/self-hosting/architecture/backend-store
"""

import math
import os
from pathlib import Path
from typing import Any

from dlx.importers.foreign_run import ForeignRun, read_number, read_status, read_value
from dlx.run.documents import read_yaml
from dlx.run.files import TABLE_LIMIT, YAML_LIMIT, read_text

META, PARAMS, METRICS = "meta.yaml", "params", "metrics"
MOST_FILES = 10_000  # of one run
LONGEST_PARAMETER = 100_000  # bytes; MLflow's own limit is 6,000 letters


def is_mlflow_run(folder: Path, folders: list[str], files: list[str]) -> bool:
    """Return whether a folder, with these folders and files in it, is a run of MLflow's file store."""
    return META in files and (METRICS in folders or PARAMS in folders) and not folder.is_symlink()


def read_mlflow(folder: Path, name: str) -> ForeignRun | None:
    """Read the run in `folder`; None if it was deleted. Raises ValueError or OSError for a damaged file."""
    meta = read_yaml(folder / META, YAML_LIMIT)
    if not isinstance(meta, dict):
        raise ValueError(f"{folder / META}: not a group of keys")  # noqa: TRY004
    if meta.get("lifecycle_stage") == "deleted":
        return None
    settings = {
        key: read_value(read_text(path, LONGEST_PARAMETER)) for key, path in _files(folder / PARAMS).items()
    }
    metrics = {key: _series(path) for key, path in _files(folder / METRICS).items()}
    counted = any(len(values) > 1 for values in metrics.values())
    return ForeignRun(
        str(meta.get("run_name") or name),
        folder,
        settings,
        metrics,
        "step" if counted else "",
        read_status(meta.get("status", "")),
        _seconds(meta),
    )


def _files(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by their names, which may have slashes: "val/acc" is a file in val/."""
    found: dict[str, Path] = {}
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(where, name)
            found[path.relative_to(folder).as_posix()] = path
            if len(found) > MOST_FILES:
                raise ValueError(f"{folder}: more than {MOST_FILES:,} files")
    return found


def _series(path: Path) -> dict[float, float]:
    """Read the lines "timestamp value step" of a metric; of one step the last counts."""
    values: dict[float, float] = {}
    for line in read_text(path, TABLE_LIMIT).splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        step = read_number(words[2]) if len(words) > 2 else float(len(values))
        if math.isfinite(step):
            values[step] = read_number(words[1])
    return values


def _seconds(meta: dict[Any, Any]) -> float:
    start, end = meta.get("start_time"), meta.get("end_time")
    if isinstance(start, int) and isinstance(end, int) and end >= start:
        return (end - start) / 1000
    return math.nan
