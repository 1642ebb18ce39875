"""The files beside the page: tables as CSV, Markdown and LaTeX, and the whole report as JSON."""

import json
import math
import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx import __version__
from dlx.report.analysis import Analysis
from dlx.report.diagnosis.finding import diagnosis_csv
from dlx.report.formats import Table, to_latex, to_markdown
from dlx.report.load import LISTS
from dlx.report.tables import comparisons_csv, comparisons_table, settings_csv
from dlx.run.paths import write_atomically

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1  # of report.json; increases when a key is removed or changes its meaning


def list_files(analysis: Analysis, facts: Mapping[str, object]) -> dict[str, str]:
    """Return each file's content by its name; `facts` are also written to report.json."""
    tables = {"table": analysis.table, "comparisons": comparisons_table(analysis)}
    texts = {
        "table.csv": settings_csv(analysis),
        "comparisons.csv": comparisons_csv(analysis),
        "diagnosis.csv": diagnosis_csv(analysis.diagnosis),
    }
    for name, table in tables.items():
        if table.rows:
            texts |= {f"{name}.md": to_markdown(table), f"{name}.tex": to_latex(table)}
    return texts | {"report.json": report_json(analysis, {**facts, "finding": analysis.headline}, tables)}


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write each text completely or not at all; bytes of names that are not UTF-8 become escapes."""
    for name, text in texts.items():
        write_atomically(folder / name, text.encode(errors="backslashreplace"))


def report_json(analysis: Analysis, facts: Mapping[str, object], tables: Mapping[str, Table]) -> str:
    """Return the report as strict JSON: `facts` first, then settings best first, runs, and the tables.

    `settings` has the columns of table.csv, with the swept values under `values`. Each of `runs` names its
    setting by `setting`, an index into that list. Numbers have full precision; missing ones are null.
    """
    data, design, summary = analysis.data, analysis.design, analysis.summary
    report = {
        "format": FORMAT,
        **facts,
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {
            "dlx": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pandas", "vl-convert-python")},
            "torch_of_runs": sorted(data.runs["torch"].dropna().unique()),
        },
        "metric": summary.metric,
        "higher_is_better": summary.higher,
        "monitor": summary.monitor or None,
        "settings": [
            {"values": design.rows[int(row.pop("setting"))]}
            | {key: value for key, value in row.items() if key not in design.keys}
            for row in _rows(summary.table)
        ],
        "runs": [
            {"run": row.pop("run"), "setting": summary.ranks[design.of_run[run]]}
            | {"seeds": {key: data.settings[run].get(key) for key in design.seeds}}
            | row
            for run, row in zip(
                data.runs.index, _rows(data.runs.drop(columns=LISTS).reset_index()), strict=True
            )
        ],
        "equal_in_all_runs": design.shared,
        "running": data.running,
        "left_out": data.left_out,
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


def _strict(value: Any) -> Any:
    """Return what JSON can hold: NumPy's numbers as Python's, and null for NaN and infinity.

    Bytes of names that are not UTF-8, which Python holds as half surrogate pairs, become escapes.
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
