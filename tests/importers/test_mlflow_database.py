"""MLflow's database in SQLite gives the same runs as its file store, and other databases are refused."""

import math
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from dlx.errors import RequestError
from dlx.importers.find import read_runs
from dlx.importers.foreign_run import Columns, ForeignRun
from dlx.importers.mlflow_database import LARGEST
from dlx.report.foreign import load_foreign

# The tables that are read, as MLflow 3.7 creates them (sqlite3 mlflow.db .schema), without foreign keys.
SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER NOT NULL, name VARCHAR(256) NOT NULL,
    artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT,
    last_update_time BIGINT);
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20),
    source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(9),
    start_time BIGINT, end_time BIGINT, source_version VARCHAR(50), lifecycle_stage VARCHAR(20),
    artifact_uri VARCHAR(200), experiment_id INTEGER, deleted_time BIGINT);
CREATE TABLE metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL);
CREATE TABLE params (key VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32) NOT NULL);
"""


def write_database(file: Path, runs: Sequence[ForeignRun], stages: Sequence[str] = ()) -> Path:
    """Write runs as MLflow's SqlAlchemyStore does: NaN is 0 with a mark, infinity the largest number."""
    with sqlite3.connect(file) as database:
        database.executescript(SCHEMA)
        database.executemany(
            "insert into experiments (experiment_id, name, lifecycle_stage) values (?, ?, ?)",
            [(1, "study", "active"), (2, "old", "deleted")],
        )
        for number, run in enumerate(runs):
            stage = stages[number] if stages else "active"
            status = {"completed": "FINISHED", "running": "RUNNING"}.get(run.status, "FAILED")
            row = (
                f"id{number}",
                run.name,
                status,
                1000 + number,
                1000 + number + 1000 * run.seconds,
                stage,
                1,
            )
            database.execute(
                "insert into runs (run_uuid, name, status, start_time, end_time, lifecycle_stage, "
                "experiment_id) values (?, ?, ?, ?, ?, ?, ?)",
                [None if isinstance(each, float) and math.isnan(each) else each for each in row],
            )
            database.executemany(
                "insert into params values (?, ?, ?)",
                [(key, str(value), row[0]) for key, value in run.settings.items()],
            )
            database.executemany(
                "insert into metrics values (?, ?, ?, ?, ?, ?)",
                [
                    (
                        key,
                        0.0 if math.isnan(value) else min(value, LARGEST),
                        5,
                        row[0],
                        int(step),
                        math.isnan(value),
                    )
                    for key, values in run.metrics.items()
                    for step, value in values.items()
                ],
            )
    database.close()
    return file


def run(name: str = "cnn-0", status: str = "completed", seed: int = 0) -> ForeignRun:
    values = {0.0: 0.5, 1.0: 0.6, 2.0: math.nan, 3.0: math.inf}
    settings = {"model": "cnn", "lr": 0.1, "random_state": seed}
    return ForeignRun(name, Path("x"), settings, {"val/acc": values}, "step", status, 2.0)


@pytest.mark.parametrize("named", ["file", "folder"])
def test_a_database_gives_parameters_metrics_states_and_seconds(tmp_path: Path, named: str) -> None:
    file = write_database(tmp_path / "mlflow.db", [run(), run("going", "running"), run("broken", "failed")])
    before = file.read_bytes()
    found = read_runs([file if named == "file" else tmp_path], Columns())
    broken, done, going = found.runs
    assert found.format == "MLflow's database"
    assert (done.name, done.status, done.seconds, done.counted_in) == ("cnn-0", "completed", 2.0, "step")
    assert done.settings == {"model": "cnn", "lr": 0.1, "random_state": 0}
    assert str(done.metrics) == "{'val/acc': {0.0: 0.5, 1.0: 0.6, 2.0: nan, 3.0: inf}}"
    assert (going.status, broken.status) == ("running", "failed")
    assert file.read_bytes() == before
    assert list(load_foreign([tmp_path], Columns()).running) == ["going"]


def test_deleted_runs_do_not_count(tmp_path: Path) -> None:
    file = write_database(tmp_path / "mlflow.db", [run("a"), run("b")], ["active", "deleted"])
    assert [each.name for each in read_runs([file], Columns()).runs] == ["a"]
    with sqlite3.connect(file) as database:
        database.execute("update runs set experiment_id = 2")  # which was deleted
    database.close()
    assert read_runs([file], Columns()).runs == []


def test_of_one_step_the_last_value_counts(tmp_path: Path) -> None:
    file = write_database(tmp_path / "mlflow.db", [run()])
    with sqlite3.connect(file) as database:
        database.execute("insert into metrics values ('val/acc', 0.7, 9, 'id0', 1, 0)")
        database.execute("insert into metrics values ('val/acc', 0.1, 1, 'id0', 1, 0)")
    database.close()
    assert read_runs([file], Columns()).runs[0].metrics["val/acc"][1.0] == 0.7


def test_another_database_is_refused_if_it_is_named_and_skipped_in_a_folder(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("create table runs (run_uuid)")
        # A view could compute for ever.
        database.execute("create view metrics as select 1")
    database.close()
    (tmp_path / "empty.db").touch()
    for name in ("other.db", "empty.db"):
        with pytest.raises(RequestError, match=f"{name}: not an MLflow database"):
            read_runs([tmp_path / name], Columns())
    (tmp_path / "runs.csv").write_text("lr,seed,accuracy\n0.1,0,0.5\n0.1,1,0.6\n")
    assert read_runs([tmp_path], Columns()).format == "a CSV table"


def test_a_damaged_database_is_left_out_with_the_reason(tmp_path: Path) -> None:
    file = write_database(tmp_path / "mlflow.db", [run(str(number)) for number in range(200)])
    content = bytearray(file.read_bytes())
    content[8192:] = bytes(len(content) - 8192)
    file.write_bytes(content)
    found = read_runs([file], Columns())
    assert found.runs == []
    assert "cannot be read" in found.left_out["mlflow.db"]
