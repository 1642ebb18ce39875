"""The whole report as one file for programs, report.json: full precision, strict JSON, texts as they are."""

import json
import math
import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dlx import __version__
from dlx.report.aggregate import Summary
from dlx.report.load import StudyData
from dlx.report.settings import Design
from dlx.report.tables import Table

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1  # goes up when a key changes its meaning or goes away
UNWRITTEN = ["classes", "layers"]  # of a run: long, and in its own result.json


def to_json(
    study: StudyData,
    layout: Design,
    summary: Summary,
    facts: Mapping[str, object],
    tables: Mapping[str, Table],
) -> str:
    """Return the report: `facts` in front, then settings best first, runs, what was left out, the tables.

    `settings` has the columns of table.csv, with the swept values under `values`; each of `runs` names its
    setting by `setting`, a place in that list. What is missing or not finite is null.
    """
    rank = {int(setting): rank for rank, setting in enumerate(summary.table["setting"])}
    report = {
        "format": FORMAT,
        **facts,
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": _versions(study),
        "metric": summary.metric,
        "higher_is_better": summary.higher,
        "monitor": summary.monitor or None,
        "settings": [
            {"values": layout.rows[int(row.pop("setting"))]}
            | {key: value for key, value in row.items() if key not in layout.keys}
            for row in _rows(summary.table)
        ],
        "runs": [
            {"run": row.pop("run"), "setting": rank[layout.of_run[run]]}
            | {"seeds": {key: study.settings[run].get(key) for key in layout.seeds}}
            | row
            for run, row in zip(
                study.runs.index, _rows(study.runs.drop(columns=UNWRITTEN).reset_index()), strict=True
            )
        ],
        "equal_in_all_runs": layout.shared,
        "running": study.running,
        "left_out": study.left_out,
        "tables": {
            name: {
                "columns": [
                    ", ".join(filter(None, (column.heading, column.rule))) for column in table.columns
                ],
                "rows": table.rows,
                "notes": table.notes,
            }
            for name, table in tables.items()
        },
    }
    return json.dumps(_strict(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rows(frame: "pd.DataFrame") -> list[dict[Any, Any]]:
    return frame.astype("object").to_dict(orient="records")


def _versions(study: StudyData) -> dict[str, object]:
    own = {"dlx": __version__, "python": platform.python_version()}
    own |= {name: version(name) for name in ("numpy", "pandas", "vl-convert-python")}
    return {**own, "torch_of_runs": sorted(study.runs["torch"].dropna().unique())}


def _strict(value: Any) -> Any:
    """Return what JSON has a form for: NumPy's numbers as Python's, null for what is not finite.

    Bytes of a file's name that are no UTF-8 become their escapes: half a surrogate pair is no text.
    """
    if isinstance(value, Mapping):
        return {_strict(str(key)): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
