"""The layers of each architecture with their output shapes and parameters: tables for the page."""

from typing import Any

from dlx.report.aggregate import Summary
from dlx.report.load import StudyData
from dlx.report.settings import Design
from dlx.report.tables import Column, Table
from dlx.report.text import MISSING, visible, write_count, write_value

ARCHITECTURES = 4
LAYERS = 200  # rows of a table
COLUMNS = [
    Column("layer", "", 0, numeric=False),
    Column("module", "", 0, numeric=False),
    Column("output shape", "", 0, numeric=True),
    Column("parameters", "", 0, numeric=True),
]
Layers = list[tuple[str, str, str, int]]


def count_parameters(study: StudyData, layout: Design, summary: Summary) -> list[tuple[str, Table]]:
    """Return a heading and a table for each of the first four different nets, best setting first.

    Results of before layers were written, and ones where the list is no such list, have no table.
    """
    nets: dict[str, tuple[list[str], Layers]] = {}
    of_setting: dict[int, Layers] = {}
    for run, layers in study.runs["layers"].items():
        setting = layout.of_run[str(run)]
        if setting not in of_setting and (read := _read(layers)):
            of_setting[setting] = read
    for setting, label in zip(summary.table["setting"], summary.table["label"], strict=True):
        if layers := of_setting.get(setting):
            nets.setdefault(repr(layers), ([], layers))[0].append(label)
    shown = list(nets.values())[:ARCHITECTURES]
    tables = [(_heading(labels, len(nets)), _table(layers)) for labels, layers in shown]
    if len(nets) > len(shown):
        tables[-1][1].notes.append(
            f"{write_count(len(nets) - len(shown), 'further architecture')} not shown."
        )
    return tables


def _heading(labels: list[str], nets: int) -> str:
    if nets == 1:
        return "all settings" if len(labels) > 1 else labels[0]
    more = f" and {write_count(len(labels) - 1, 'more setting')}" if len(labels) > 1 else ""
    return f"{labels[0]}{more}"


def _read(layers: Any) -> Layers:
    if not isinstance(layers, list):
        return []
    read = []
    for each in layers:
        if not isinstance(each, dict) or not isinstance(each.get("parameters"), int):
            return []
        shape = each.get("output_shape")
        words = " x ".join(map(str, shape)) if isinstance(shape, list) else write_value(shape)
        name, module = (visible(str(each.get(key, MISSING))) for key in ("layer", "module"))
        read.append((name, module, visible(words) or MISSING, each["parameters"]))
    return read


def _table(layers: Layers) -> Table:
    rows = [[name, module, shape, f"{count:,}"] for name, module, shape, count in layers[:LAYERS]]
    rows.append(["total", "", "", f"{sum(count for *_, count in layers):,}"])
    notes = [f"The first {LAYERS} of {len(layers)} layers."] if len(layers) > LAYERS else []
    return Table(COLUMNS, rows, notes)
