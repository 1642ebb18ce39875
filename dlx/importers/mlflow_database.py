"""MLflow's database: `mlflow.db`, in SQLite, where MLflow 3.7 and later keep runs by default.

The tables are read with Python's own sqlite3, and nothing is written. Other databases, such as PostgreSQL,
are not read. https://mlflow.org/docs/latest/self-hosting/architecture/backend-store
"""

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dlx.importers.foreign_run import ForeignRun, read_status, read_value
from dlx.run.documents import shorten
from dlx.run.files import MEGABYTE, open_regular

ENDINGS = (".db", ".sqlite", ".sqlite3")
BEGIN = b"SQLite format 3\0"
DATABASE_LIMIT = 2000 * MEGABYTE
VALUES = 4_000_000
TABLES = ("experiments", "runs", "params", "metrics")
RUNS = """select run_uuid, runs.name, status, start_time, end_time
    from runs join experiments using (experiment_id)
    where runs.lifecycle_stage = 'active' and experiments.lifecycle_stage = 'active'
    order by start_time, run_uuid"""
# MLflow stores NaN as 0 with a mark, and infinity as the largest number.
METRICS = """select key, value, is_nan, step from metrics where run_uuid = ? order by key, step, timestamp"""
LARGEST = 1.7976931348623157e308


def is_mlflow_database(file: Path) -> bool:
    """Return whether a file is a SQLite database with MLflow's tables; one that cannot be read is not."""
    if not file.name.lower().endswith(ENDINGS):
        return False
    try:
        with open_regular(file, DATABASE_LIMIT) as begin:
            if begin.read(len(BEGIN)) != BEGIN:
                return False
        with closing(_open(file)) as database:
            return _has_tables(database)
    except (OSError, ValueError, sqlite3.Error):
        return False


def read_mlflow_database(file: Path) -> list[ForeignRun]:
    """Read the runs that were not deleted. Raises ValueError or OSError for a damaged file."""
    open_regular(file, DATABASE_LIMIT).close()
    try:
        with closing(_open(file)) as database:
            count = database.execute("select count(*) from metrics").fetchone()[0]
            if count > VALUES:
                raise ValueError(f"{file}: more than {VALUES:,} values")
            return [_run(database, file, row) for row in database.execute(RUNS).fetchall()]
    except sqlite3.Error as error:
        raise ValueError(f"{file}: cannot be read: {shorten(error)}") from error


def _open(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True)
    # A stranger's database: its schema may call no functions, and its pages are checked.
    database.execute("pragma trusted_schema = off")
    database.execute("pragma cell_size_check = on")
    return database


def _has_tables(database: sqlite3.Connection) -> bool:
    """Return whether the tables are there, and are tables: a view could compute for ever."""
    tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
    return {(name,) for name in TABLES}.issubset(tables)


def _run(database: sqlite3.Connection, file: Path, row: tuple[Any, ...]) -> ForeignRun:
    run, name, status, start, end = row
    settings = {
        key: read_value(str(value))
        for key, value in database.execute("select key, value from params where run_uuid = ?", (run,))
    }
    metrics: dict[str, dict[float, float]] = {}
    for key, value, is_nan, step in database.execute(METRICS, (run,)):
        metrics.setdefault(key, {})[float(step)] = _number(value, is_nan)
    counted = any(len(values) > 1 for values in metrics.values())
    whole = isinstance(start, int) and isinstance(end, int) and end >= start
    return ForeignRun(
        str(name or run),
        file,
        settings,
        metrics,
        "step" if counted else "",
        read_status(status),
        (end - start) / 1000 if whole else math.nan,
    )


def _number(value: Any, is_nan: Any) -> float:
    if is_nan or not isinstance(value, int | float):
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else float(value)
