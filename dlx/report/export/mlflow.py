"""MLflow's file store, as plain files, for `mlflow ui` or, into a database, `mlflow migrate-filestore`.

Since MLflow 3.7 a database is its default, and its file store opens with MLFLOW_ALLOW_FILE_STORE=true.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlx.report.analysis import Analysis
from dlx.report.export.runs import ExportedRun, exported_runs
from dlx.report.text import visible, write_value

COMPLETED, FAILED = 3, 4  # mlflow.entities.RunStatus
LONGEST = 6000  # letters of a parameter


def store_files(analysis: Analysis, title: str, folder: Path) -> dict[str, bytes]:
    """Return the files of an experiment called `title` with every run, by their paths in `folder`."""
    experiment = str(int(_hash(title)[:14], 16))
    where = folder.resolve() / experiment
    stage = {"experiment_id": experiment, "lifecycle_stage": "active"}
    files = {f"{experiment}/meta.yaml": _yaml({"name": title, "artifact_location": where.as_uri()} | stage)}
    for run in exported_runs(analysis):
        run_id = _hash(f"{title}/{run.name}")[:32]
        meta = {
            "artifact_uri": f"{where.as_uri()}/{run_id}/artifacts",
            "run_id": run_id,
            "run_name": visible(run.name),
            "status": COMPLETED if run.status == "completed" else FAILED,
            "start_time": int(1000 * run.began),
            "end_time": int(1000 * (run.began + (run.seconds if math.isfinite(run.seconds) else 0))),
            "entry_point_name": "",
            "source_name": "",
            "source_type": 4,
            "source_version": "",
            "tags": [],
            "user_id": "dlx",
        }
        files[f"{experiment}/{run_id}/meta.yaml"] = _yaml(meta | stage)
        files |= {f"{experiment}/{run_id}/{name}": content for name, content in _run_files(run).items()}
    return files


def _run_files(run: ExportedRun) -> dict[str, bytes]:
    """Return a run's parameters, metrics and name, each a file."""
    lines: dict[str, list[str]] = {}
    for epoch, time, values in run.epochs:
        for name, value in values.items():
            lines.setdefault(name, []).append(f"{int(1000 * time)} {float(value)!r} {epoch}\n")
    settings = run.settings | run.end
    texts = {f"params/{_safe(key)}": _text(value) for key, value in settings.items()}
    texts |= {f"metrics/{_safe(name)}": "".join(each) for name, each in lines.items()}
    texts |= {
        "tags/mlflow.runName": visible(run.name),
        "artifacts/.dlx": "",
    }  # without it MLflow finds no run
    return {name: text.encode(errors="backslashreplace") for name, text in texts.items()}


def _text(value: Any) -> str:
    """Write a parameter at full precision."""
    text = repr(value) if isinstance(value, float) else "None" if value is None else write_value(value)
    return text[:LONGEST]


def _safe(key: str) -> str:
    """Return a key that is one name of a file, with the letters that MLflow allows."""
    return "".join(each if each.isalnum() or each in "_-. " else "_" for each in key).lstrip(".") or "_"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _yaml(values: Mapping[str, Any]) -> bytes:
    import yaml

    text: str = yaml.safe_dump(dict(values), allow_unicode=True)
    return text.encode()
