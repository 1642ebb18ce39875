"""What a person sees while runs train: live bars on a terminal, lines elsewhere."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from dlx.config import Settings
from dlx.run.history import EpochRow
from dlx.run.result import Result

if TYPE_CHECKING:
    from dlx.engine.run import Run


SHOWN = 8  # runs with a bar of their own: of those that train at once, the first
LABEL = 24  # letters of a run's label beside its bar
PAUSE = 30.0  # seconds between lines on a grid's progress in a log


class Display:
    """Shows the runs of a grid; `runs` holds each one's label and its number of epochs."""

    def __init__(self, runs: Sequence[tuple[str, int]], console: Console | None = None) -> None:
        self.runs = runs
        self.console = console or Console(highlight=False)
        self.live = self.console.is_terminal
        self._of = [RunDisplay(self, index) for index in range(len(runs))]
        self._epochs = [0] * len(runs)
        self._ended = 0
        self._said = time.monotonic()
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[state]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
            refresh_per_second=4,  # often enough to read; the drawing shares the cores with the training
            disable=not self.live,
        )
        self._all: TaskID | None = None

    def __enter__(self) -> Self:
        self.progress.start()
        if len(self.runs) > 1:
            total = sum(epochs for _, epochs in self.runs)
            self._all = self.progress.add_task("runs", total=total, state=f"0/{len(self.runs)}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def of(self, index: int) -> "RunDisplay":
        """Return the part of the display that shows one run; several may be shown at once."""
        return self._of[index]

    def add_bar(self, label: str, epochs: int) -> TaskID | None:
        """Return a new run's bar; None where there are enough of them, or no terminal."""
        if not self.live or len(self.progress.tasks) > SHOWN:
            return None
        short = label if len(label) <= LABEL else f"{label[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"
        return self.progress.add_task(short or "epoch", total=epochs, state="")

    def advance(self, index: int, epoch: int, *, ended: bool = False) -> None:
        """Move the bar of all runs: this one is at `epoch`."""
        self._epochs[index] = epoch
        self._ended += ended
        if self._all is not None:
            state = f"{self._ended}/{len(self.runs)}"
            self.progress.update(self._all, completed=sum(self._epochs), state=state)
        if not self.live and len(self.runs) > 1 and time.monotonic() - self._said > PAUSE:
            self._said = time.monotonic()
            share = sum(self._epochs) / sum(epochs for _, epochs in self.runs)
            self.print(f"{self._ended} of {len(self.runs)} runs ended, {share:.0%} of all epochs")

    def print(self, line: str) -> None:
        """Print a line above the bars; in a log, a line is a line."""
        self.progress.console.print(Text(line), soft_wrap=not self.live)


class RunDisplay:
    """Shows one run of a grid from its start to its end."""

    def __init__(self, display: Display, index: int) -> None:
        self._display = display
        self._index = index
        self._label, self._epochs = display.runs[index]
        self._alone = len(display.runs) == 1
        self._position = "" if self._alone else f"[{index + 1}/{len(display.runs)}] "
        self._bar: TaskID | None = None
        self._begun = False
        self.closed = False

    def start(self, run: "Run", settings: Settings, folder: Path) -> None:
        """Show that the run begins; of a run alone, its settings in short."""
        if self._alone:
            self._display.console.print(_grid(summary(run, settings, folder)))
        self._begin()

    def epoch(self, row: EpochRow) -> None:
        """Show an epoch's end: in a log, a line of a run alone; a grid's runs have one when they end."""
        self._begin()
        if self._alone and not self._display.live:
            width = len(str(self._epochs))
            self._display.print(f"epoch {row.epoch:>{width}}/{self._epochs}  {metrics(row)}")
        if self._bar is not None:
            shown = row if self._alone else replace(row, train_loss=None, train_accuracy=None)
            state = f"{row.epoch}/{self._epochs}  {metrics(shown)}"
            self._display.progress.update(self._bar, completed=row.epoch, state=state)
        self._display.advance(self._index, row.epoch)

    def end(self, folder: Path, result: Result) -> None:
        """Show the headline numbers of the run, which has ended, and its folder."""
        seconds = f"{result.time_seconds or 0:.1f} s"
        if self._alone:
            self._close(f"{result.status} in {seconds}: {headline(result)}", folder)
        else:
            status = "" if result.status == "completed" else f"{result.status}, "
            self._close(f"{status}{brief(result)}, {seconds}", None)

    def wait(self, folder: Path) -> None:
        """Show that another process trains this very run, and that this one waits for it."""
        self._display.print(f"{self._position}another process trains {folder}; waiting for it")

    def skip(self, folder: Path, result: Result) -> None:
        """Show that the run is finished already and is not trained again."""
        if self._alone:
            self._close(f"{result.status} before, not trained again; {headline(result)}", folder)
        else:
            self._close(f"{result.status} before, {brief(result)}", None)

    def fail(self, error: object) -> None:
        """Show that the run failed; its train.log has the traceback."""
        first = str(error).splitlines()[0] if str(error) else ""
        self._close(f"failed: {type(error).__name__}: {first}", None)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._bar = self._display.add_bar(self._label, self._epochs)

    def _close(self, line: str, folder: Path | None) -> None:
        if self.closed:  # as finished before, by another process
            return
        self.closed = True
        self._display.print(line if self._alone else f"{self._position}{self._label}: {line}")
        if folder is not None:
            self._display.print(str(folder))
        if self._bar is not None:
            self._display.progress.remove_task(self._bar)
            self._bar = None
        self._display.advance(self._index, self._epochs, ended=True)


def checking(runs: int) -> AbstractContextManager[object]:
    """Show, on a terminal, that a grid is being checked; for a run alone that takes no time."""
    console = Console(highlight=False)
    if runs == 1 or not console.is_terminal:
        return nullcontext()
    return console.status(Text(f"checking {runs} runs"))


def summary(run: "Run", settings: Settings, folder: Path) -> dict[str, str]:
    """Return a run's settings in short: a line each for the model, optimizer, data, training, folder."""
    data = run.data
    sizes = f"{len(data.train)} train, {len(data.val)} validation, {len(data.test)} test"
    shape = "x".join(map(str, data.input_shape))
    classes = f"{len(data.classes)} classes, " if run.loss.classifies else ""
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
        f"seed {settings.seed}, {settings.dtype} on {run.device}",
        "folder": str(folder),
    }


def _arguments(arguments: dict[str, Any]) -> str:
    shown = {key: value for key, value in arguments.items() if value is not None}
    return "".join(f", {key} {str(value).lower()}" for key, value in shown.items())


def _grid(lines: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in lines.items():
        table.add_row(Text(key, style="bold"), Text(value))
    return table


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
    """Return what a run is judged by, "val acc" or without one "val loss", and its last and best value."""
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
