"""A study that is exported and reported from there has the same table: means, intervals, verdicts."""

from pathlib import Path
from typing import Any

import pytest

from dlx.importers.find import read_runs
from dlx.importers.foreign_run import Columns
from dlx.report.analysis import Analysis, Options, analyse
from dlx.report.export.exports import EXPORTS, export_files
from dlx.report.load import load_any
from tests.importers.test_mlflow_database import write_database

NEEDED = {"tensorboard": "tensorboard", "wandb": "wandb"}
COLUMNS = [f"val_accuracy_last_{part}" for part in ("mean", "std", "count", "low", "high")]
COLUMNS += [f"{metric}_best_mean" for metric in ("val_accuracy", "val_loss", "train_loss")]
COUNTS = ["runs", "completed", "diverged", "failed", "best_epoch_min", "best_epoch_max"]


@pytest.fixture
def analysis(study: Any) -> Analysis:
    """Two optimizers at two rates over three seeds; one run diverged, one failed, some are best early."""
    for name, level in (("adam", 0.9), ("sgd", 0.7)):
        for rate in (0.001, 0.1):
            for seed in range(3):
                final = level - 0.3 * rate + 0.004 * seed
                changes = {"optimizer.name": name, "optimizer.lr": rate, "optimizer.momentum": name == "sgd"}
                epochs = study.curve(0.5, final + 0.01 * (rate == 0.1), final)
                status = {("sgd", 0.1, 2): "diverged", ("sgd", 0.1, 1): "failed"}.get((name, rate, seed))
                study.run(f"{name}-{rate}-{seed}", epochs, changes, status or "completed", seed=seed)
    loaded: Analysis = study.analysis()
    return loaded


def reported_from(folder: Path, files: dict[str, bytes]) -> Analysis:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return analyse(load_any([folder]), Options())


@pytest.mark.parametrize("name", ["csv", "mlflow", "mlflow database", "tensorboard", "wandb"])
def test_an_exported_study_has_the_same_table_when_it_is_reported_from_there(
    name: str, analysis: Analysis, tmp_path: Path
) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    there, export = tmp_path / "there", name.removesuffix(" database")
    again = reported_from(there, export_files((export,), analysis, "study", there))
    if name == "mlflow database":
        write_database(tmp_path / "mlflow.db", read_runs([there], Columns()).runs)
        again = analyse(load_any([tmp_path / "mlflow.db"]), Options())
        assert again.data.source.startswith("Read 12 runs from MLflow's database")
    ours, theirs = analysis.summary.table, again.summary.table
    assert set(again.design.labels) == set(analysis.design.labels)
    assert theirs["label"].tolist() == ours["label"].tolist()
    close = 1e-6 if name == "tensorboard" else 1e-12  # its scalars are float32
    for column in COLUMNS:
        assert theirs[column].tolist() == pytest.approx(ours[column].tolist(), abs=close, nan_ok=True), column
    assert theirs[COUNTS].to_numpy().tolist() == ours[COUNTS].to_numpy().tolist()
    verdicts = [
        [
            (one.design.labels[each.setting], one.design.labels[each.reference], each.verdict, each.pairs)
            for each in one.comparisons.against_best
        ]
        for one in (analysis, again)
    ]
    assert verdicts[0] == verdicts[1]
    assert verdicts[0]
    without_seconds = [
        [[cell for cell, column in zip(row, one.table.columns, strict=True) if column.heading != "seconds"]
         for row in one.table.rows]
        for one in (analysis, again)
    ]  # fmt: skip
    assert without_seconds[0] == without_seconds[1]


def test_every_format_for_runs_is_tried_here() -> None:
    assert set(EXPORTS) - {"docx", "xlsx"} == {"csv", "mlflow", "tensorboard", "wandb"}


def test_a_table_with_one_row_a_run_can_be_exported_again(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    rows = [f"{name},{seed},{0.5 + 0.1 * (name == 'b') + seed / 100}" for name in "ab" for seed in range(3)]
    table.write_text("\n".join(["model,seed,f1", *rows]) + "\n")
    first = analyse(load_any([table]), Options())
    again = reported_from(tmp_path / "there", export_files(("csv",), first, "x", tmp_path))
    assert again.summary.metric == "f1"
    assert again.table.rows == first.table.rows
    assert load_any([table], Columns(metric="f1")).source.startswith("Read 6 runs from a CSV table")
