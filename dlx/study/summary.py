"""Runs in a few words: their settings as they start, their scores as they end, all of them in one table."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlx.config import Settings
from dlx.run.history import EpochRow
from dlx.run.result import Result

if TYPE_CHECKING:
    from dlx.engine.run import Run


@dataclass(frozen=True)
class Outcome:
    """What became of one run: a result, or the error that ended it."""

    label: str
    folder: Path
    result: Result | None
    error: str | None

    @property
    def succeeded(self) -> bool:
        """Whether the run completed: neither failed nor diverged."""
        return self.result is not None and self.result.status == "completed"


def print_outcomes(outcomes: Sequence[Outcome], studies: Sequence[Path]) -> None:
    """Print one row a run, in the request's order, and how to see the comparison."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("\nrun", overflow="fold")
    table.add_column("\nstatus")
    scores = {score(outcome.result)[0] for outcome in outcomes if outcome.result}
    named = " or ".join(sorted(scores)) or "val acc"
    table.add_column(f"{named}\nlast", justify="right")
    table.add_column(f"{named}\nbest (epoch)", justify="right")
    table.add_column("\nseconds", justify="right")
    for outcome in outcomes:
        table.add_row(*_cells(outcome))
    console = Console(highlight=False)
    console.print(table)
    command = shlex.join(["dlx", "report", *map(str, studies)])
    console.print(Text(f"compare them: {command}"), soft_wrap=True)


def _cells(outcome: Outcome) -> list[Text]:
    result = outcome.result
    if result is None:
        return [Text(outcome.label), Text("failed", style="red"), *[Text("-")] * 3]
    _, last, best = score(result)
    return [
        Text(outcome.label),
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


def metrics(row: EpochRow) -> str:
    """Return a row's numbers in one short line."""
    parts = []
    for split, loss, accuracy in (
        ("train", row.train_loss, row.train_accuracy),
        ("val", row.val_loss, row.val_accuracy),
    ):
        if loss is not None:
            parts.append(f"{split} loss {write_loss(loss)}")
        if accuracy is not None:
            parts.append(f"acc {accuracy:.4f}")
    return "  ".join(parts)


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
