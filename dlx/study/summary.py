"""Runs in a few words: their settings as they start, their scores as they end, all of them in one table."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlx.config import Settings
from dlx.notebook import Cell
from dlx.run.history import EpochRow
from dlx.run.result import Result

if TYPE_CHECKING:
    from dlx.engine.run import Run


ROWS = 20  # runs with a row each; of more, a setting has one, or the table would scroll away


@dataclass(frozen=True)
class Outcome:
    """What became of one run: a result, or the error that ended it.

    `setting`: a text that is equal for runs that differ in seeds alone.
    """

    label: str
    folder: Path
    result: Result | None
    error: str | None
    setting: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the run completed: neither failed nor diverged."""
        return self.result is not None and self.result.status == "completed"


def print_outcomes(
    outcomes: Sequence[Outcome], studies: Sequence[Path], console: Console | None = None
) -> None:
    """Print one row a run, in the request's order, or one a setting of many; and how to compare them."""
    console = console or Console(highlight=False)
    many = len(outcomes) > ROWS
    groups = _by_setting(outcomes) if many else [[outcome] for outcome in outcomes]
    cells = [_cells_of_setting(group) if many else _cells(group[0]) for group in groups]
    scores = {score(outcome.result)[0] for outcome in outcomes if outcome.result}
    headings = _headings(" or ".join(sorted(scores)) or "val acc", many=many)
    named = [shared([varied(outcome.label) for outcome in group]) for group in groups]
    console.print(named_table(named, headings, cells, console))
    command = shlex.join(["dlx", "report", *map(str, studies)])
    if isinstance(console, Cell):
        command = f"dlx.load({', '.join(json.dumps(str(study)) for study in studies)}).report()"
    console.print(Text(f"compare them: {command}"), soft_wrap=True)


def named_table(
    named: Sequence[dict[str, str]],
    headings: Sequence[str],
    cells: Sequence[Sequence[Text]],
    console: Console,
) -> Table:
    """Return a column for each key and heading, or, on a narrow terminal, for names and two headings."""
    keys = list(dict.fromkeys(key for each in named for key in each))
    table = _empty(keys, headings)
    for values, row in zip(named, cells, strict=True):
        table.add_row(*(Text(values.get(key, "")) for key in keys), *row)
    if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
        return table
    table = _empty(["setting" if headings[0].startswith("runs") else "run"], headings[:2])
    for values, row in zip(named, cells, strict=True):
        table.add_row(Text(" ".join(f"{key}={value}" for key, value in values.items())), *row[:2])
    return table


def _empty(names: Sequence[str], headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    lower = "\n" if any("\n" in heading for heading in headings) else ""  # on a level with the second lines
    for name in names:
        table.add_column(f"{lower}{name}", overflow="fold")
    for heading in headings:
        justify: Literal["left", "right"] = "left" if heading == "status" else "right"
        shown = heading if "\n" in heading else f"{lower}{heading}"
        table.add_column(shown, justify=justify, no_wrap=True)
    return table


def _headings(metric: str, *, many: bool) -> list[str]:
    if many:
        return ["runs", f"mean {metric}\nlast", f"mean {metric}\nbest"]
    return ["status", f"{metric}\nlast", f"{metric}\nbest (epoch)", "seconds"]


def varied(label: str) -> dict[str, str]:
    """Return a label's values by key: {"model": "mlp", "lr": "0.1"} of "model=mlp lr=0.1"."""
    words = re.split(r" (?=[+~]*[\w.@/]+=)", label) if label else []
    return {word.partition("=")[0]: word.partition("=")[2] for word in words}


def _by_setting(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.setting, []).append(outcome)
    return list(groups.values())


def shared(named: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return the values that all runs of a row have: those of a setting, without its seeds."""
    return {key: value for key, value in named[0].items() if all(each.get(key) == value for each in named)}


def _cells_of_setting(outcomes: Sequence[Outcome]) -> list[Text]:
    """Return the cells of a setting's row: its runs, and the means of those that completed."""
    results = [each.result for each in outcomes if each.result is not None and each.succeeded]
    complete = len(results) == len(outcomes)
    count = str(len(outcomes)) if complete else f"{len(results)} of {len(outcomes)}"
    means = [_mean([result.last for result in results]), _mean([result.best for result in results])]
    return [Text(count, style="" if complete else "yellow"), *map(Text, means)]


def _mean(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the mean of what runs are judged by: their accuracy, or where one has none their loss."""
    for column in ("val_accuracy", "val_loss"):
        values = [row[column] for row in rows if row.get(column) is not None]
        if values and len(values) == len(rows):
            return write_loss(sum(values) / len(values))
    return "-"


def _cells(outcome: Outcome) -> list[Text]:
    result = outcome.result
    if result is None:
        return [Text("failed", style="red"), *[Text("-")] * 3]
    _, last, best = score(result)
    return [
        Text(result.status, style="" if outcome.succeeded else "yellow"),
        Text(last),
        Text(best if best == "-" else f"{best} ({result.best['epoch']})"),
        Text(f"{result.time_seconds or 0:.1f}"),
    ]


def write_run(run: "Run", settings: Settings, folder: Path) -> Table:
    """Return a run's settings in short: a line each for the model, optimizer, data, training, folder."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in _facts(run, settings, folder).items():
        table.add_row(Text(key, style="bold"), Text(value))
    return table


def _facts(run: "Run", settings: Settings, folder: Path) -> dict[str, str]:
    data = run.data
    sizes = f"{len(data.train)} train, {len(data.val)} validation, {len(data.test)} test"
    shape = "x".join(map(str, data.input_shape)) + (" features" if len(data.input_shape) == 1 else "")
    classes = "" if run.task == "none" else f"{data.describe_labels()}, "
    augment = _arguments({key: value for key, value in settings.augment.items() if value})
    return {
        "model": f"{settings.model.name}{_arguments(settings.model.arguments)}, "
        f"{run.parameter_count:,} parameters, init {settings.model.init}",
        "optimizer": f"{settings.optimizer.name}{_arguments(settings.optimizer.arguments)}",
        "schedule": f"{settings.schedule.name}{_arguments(settings.schedule.arguments)}"
        + (f", warm-up of {settings.schedule.warmup:g} epochs" if settings.schedule.warmup else ""),
        "data": f"{settings.data.name}, {sizes}, {shape}, {classes}"
        f"standardised by {settings.data.standardise}",
        "augment": augment.removeprefix(", ") or "none",
        "loss": f"{settings.loss.name}{_arguments(settings.loss.arguments)}",
        "training": f"{settings.epochs} epochs, batches of {settings.batch_size}, "
        f"seed {settings.seed}, {settings.precision} on {run.device}",
        "folder": str(folder),
    }


def _arguments(arguments: dict[str, Any]) -> str:
    shown = {key: value for key, value in arguments.items() if value is not None}
    written = {key: str(value).lower() if isinstance(value, bool) else value for key, value in shown.items()}
    return "".join(f", {key} {value}" for key, value in written.items())


def metrics(row: EpochRow, extra: Mapping[str, float | None] = MappingProxyType({})) -> str:
    """Return a row's numbers in one short line, with the `extra` columns of validation."""
    parts = []
    for split, loss, accuracy in (
        ("train", row.train_loss, row.train_accuracy),
        ("val", row.val_loss, row.val_accuracy),
    ):
        if loss is not None:
            parts.append(f"{split} loss {write_loss(loss)}")
        if accuracy is not None:
            parts.append(f"acc {accuracy:.4f}")
    for name, value in extra.items():
        if name.startswith("val_") and value is not None:
            parts.append(f"{name.removeprefix('val_')} {write_loss(value)}")
    return "  ".join(parts)


def short_metrics(row: EpochRow) -> str:
    """Return the validation accuracy of a row, or without one its loss."""
    if row.val_accuracy is not None:
        return f"val acc {row.val_accuracy:.4f}"
    return metrics(replace(row, train_loss=None, train_accuracy=None))


def write_loss(value: float) -> str:
    """Write a loss with four decimals, but the 1e300 of a run on its way out in short."""
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.3e}"


def score(result: Result) -> tuple[str, str, str]:
    """Return what a run is judged by, and its last and best value.

    That is the monitor if it is one of metrics=[...], else "val acc", or without one "val loss".
    """
    if (monitor := result.monitored) not in ("val_accuracy", "val_loss"):
        values = [row.get(monitor) for row in (result.last, result.best)]
        shown = ["-" if value is None else write_loss(value) for value in values]
        return monitor.replace("_", " ", 1), shown[0], shown[1]
    last, best = (row.get("val_accuracy") for row in (result.last, result.best))
    if last is not None and best is not None:
        return "val acc", f"{last:.4f}", f"{best:.4f}"
    # A result as read has None for what was not finite.
    losses = [row.get("val_loss") for row in (result.last, result.best)]
    written = ["-" if loss is None else write_loss(loss) for loss in losses]
    return "val loss", written[0], written[1]


def brief(result: Result) -> str:
    """Return the last epoch's score and, in brackets, the best epoch's."""
    name, last, best = score(result)
    return f"{name} {last} (best {best})"


def headline(result: Result) -> str:
    """Return the last epoch's score and the best one's, each named for what it is."""
    name, last, best = score(result)
    return (
        f"{name} {last} at epoch {result.last.get('epoch')} (last), "
        f"{best} at epoch {result.best.get('epoch')} (best)"
    )
