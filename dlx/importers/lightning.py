"""PyTorch Lightning's `CSVLogger`: metrics.csv with rows that complete each other, hparams.yaml beside it.

https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.loggers.csv_logs.html
"""

from pathlib import Path

from dlx.importers import names
from dlx.importers.csv_table import series
from dlx.importers.foreign_run import ForeignRun, read_number
from dlx.importers.keras import settings_beside
from dlx.importers.run_names import settings_of_name
from dlx.importers.table import read_text_table

METRICS, SETTINGS = "metrics.csv", "hparams.yaml"


def read_lightning(folder: Path, name: str) -> ForeignRun:
    """Read the run in a folder such as lightning_logs/version_0.

    Each metric is on rows of its own, and `_step` values are of single batches where `_epoch` ones exist.
    """
    table = read_text_table(folder / METRICS)
    position = names.first_named(names.EPOCHS, table.columns)
    counted_in = "epoch" if position == "epoch" else "step"
    places = [read_number(cell) for cell in table.columns.get(position, [])]
    by_epoch = {each.removesuffix("_epoch") for each in table.columns if each.endswith("_epoch")}
    twice = {f"{each}_step" for each in by_epoch}
    metrics = [
        each for each in table.columns if each not in ("epoch", "step", *twice) and table.numeric(each)
    ]
    values = {each: series(table, each, range(table.rows), places) for each in metrics}
    settings, unread = settings_beside(folder)
    settings = settings or settings_of_name(name)
    return ForeignRun(name, folder, settings, values, counted_in if places else "", unread=unread)
