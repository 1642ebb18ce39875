"""The CSV that Keras's `CSVLogger` and many training scripts write: one file a run, one row an epoch.

The file names no settings. They come from a YAML or JSON file beside it, or from its path.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from dlx.importers import names
from dlx.importers.csv_table import series
from dlx.importers.foreign_run import ForeignRun, plain_settings, read_number, read_value
from dlx.importers.run_names import settings_of_name
from dlx.importers.table import TextTable
from dlx.run.documents import read_json, read_yaml, shorten
from dlx.run.files import YAML_LIMIT

SETTINGS_FILES = ("hparams.yaml", "config.yaml", "params.yaml", "hparams.json", "config.json", "params.json")


def is_log(table: TextTable, *, several: bool) -> bool:
    """Return whether a table is the log of one run: its epochs or steps rise from row to row.

    `several`: whether it is one of several files. A single file with any column that may be a setting is
    taken for a table of runs.
    """
    position = names.first_named(names.EPOCHS, table.columns)
    if not position or names.first_named((*names.SEEDS, *names.RUNS), table.columns):
        return False
    places = [read_number(cell) for cell in table.columns[position]]
    rising = all(first < second for first, second in pairwise(places))
    other = [
        name
        for name in table.columns
        if names.simple(name) not in (*names.EPOCHS, *names.RATES, *names.IGNORED, *names.SECONDS)
        and not (names.is_metric(name) and table.numeric(name))
    ]
    return rising and (several or not other)


def run_of_log(table: TextTable, name: str) -> ForeignRun:
    """Return the run that a log is of. Its settings come from a file beside it, or else from `name`."""
    settings, unread = settings_beside(table.path.parent)
    settings = settings or settings_of_name(name)
    position = names.first_named(names.EPOCHS, table.columns)
    metrics = [
        each
        for each in table.columns
        if names.simple(each) not in (*names.EPOCHS, *names.IGNORED) and table.numeric(each)
    ]
    texts = {
        each: read_value(cells[0])
        for each, cells in table.columns.items()
        if each not in (position, *metrics) and len(set(cells)) == 1 and cells[0].strip()
    }
    rows = range(table.rows)
    places = [read_number(cell) for cell in table.columns[position]]
    counted_in = "epoch" if names.simple(position) == "epoch" else "step"
    values = {each: series(table, each, rows, places) for each in metrics}
    return ForeignRun(name, table.path, texts | settings, values, counted_in, unread=unread)


def settings_beside(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the settings in a file beside a log, {} if there is none, and why one could not be read."""
    unread = ""
    for name in SETTINGS_FILES:
        try:
            read = read_yaml if name.endswith("yaml") else read_json
            found = read(folder / name, YAML_LIMIT)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            unread = unread or shorten(f"{name}: {error}".replace(f"{folder / name}: ", ""))
            continue
        if isinstance(found, Mapping) and found:
            return plain_settings(found), unread
        unread = unread or f"{name}: holds no keys with values"
    return {}, unread
