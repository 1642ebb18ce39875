"""Shows a request while it trains: live bars on a terminal, lines in a log.

Runs that train in other processes are followed through the histories that they write.
"""

import csv
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from dlx.config import Settings
from dlx.run.files import TABLE_LIMIT, open_regular
from dlx.run.history import COLUMNS, EpochRow
from dlx.run.paths import HISTORY
from dlx.run.result import Result
from dlx.study.summary import brief, headline, metrics, write_run

if TYPE_CHECKING:
    from dlx.engine.run import Run

SHOWN = 8  # runs with a bar of their own: the first ones of those that train at once
LABEL = 24  # letters of a run's label beside its bar
PAUSE = 30.0  # seconds between lines on a grid's progress in a log


class Progress:
    """Shows the runs of a request; `runs` holds each one's folder, label and number of epochs."""

    def __init__(self, runs: Sequence[tuple[Path, str, int]], console: Console | None = None) -> None:
        self.runs = runs
        self.console = console or Console(highlight=False)
        self.live = self.console.is_terminal
        self._of = {folder: RunDisplay(self, index) for index, (folder, _, _) in enumerate(runs)}
        self._epochs = [0] * len(runs)
        self._ended = 0
        self._said = time.monotonic()
        self._tails = [_Tail(folder / HISTORY) for folder, _, _ in runs]
        self._since = time.time()
        self.bars = _Bars(
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
        self.bars.start()
        if len(self.runs) > 1:
            total = sum(epochs for _, _, epochs in self.runs)
            self._all = self.bars.add_task("runs", total=total, state=f"0/{len(self.runs)}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def of(self, folder: Path) -> "RunDisplay":
        """Return the part that shows one run."""
        return self._of[folder]

    def displays(self, study: Path) -> Mapping[str, "RunDisplay"]:
        """Return the parts that show a study's runs, by the runs' names."""
        return {folder.name: display for folder, display in self._of.items() if folder.parent == study}

    def wait(self, runs: Sequence[Path]) -> None:
        """Show that other processes train what is left of this request, and that this one waits for them."""
        self.print(f"another process is training {_first(runs)}; waiting for it")

    def died(self, runs: Sequence[Path], reason: str, *, alone: bool) -> None:
        """Show that a process that trained these runs died, and that they are tried again."""
        how = f" ({reason})" if reason else ""
        beside = " with nothing beside it" if alone else ""
        self.print(f"a training process died{how}: {_first(runs)}; trying again{beside}")

    def look(self) -> None:
        """Show the epochs that other processes have ended since the last look."""
        for tail, display in zip(self._tails, self._of.values(), strict=True):
            if not display.closed:
                for row in tail.rows(self._since):
                    display.epoch(row)

    def add_bar(self, label: str, epochs: int) -> TaskID | None:
        """Return a new run's bar; None where there are enough of them, or no terminal."""
        if not self.live or len(self.bars.tasks) > SHOWN:
            return None
        short = label if len(label) <= LABEL else f"{label[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"
        return self.bars.add_task(short or "epoch", total=epochs, state="")

    def advance(self, index: int, epoch: int, *, ended: bool = False) -> None:
        """Move the bar of all runs: this one is at `epoch`."""
        self._epochs[index] = epoch
        self._ended += ended
        if self._all is not None:
            state = f"{self._ended}/{len(self.runs)}"
            self.bars.update(self._all, completed=sum(self._epochs), state=state)
        if not self.live and len(self.runs) > 1 and time.monotonic() - self._said > PAUSE:
            self._said = time.monotonic()
            share = sum(self._epochs) / sum(epochs for _, _, epochs in self.runs)
            self.print(f"{self._ended} of {len(self.runs)} runs ended, {share:.0%} of all epochs")

    def print(self, line: str) -> None:
        """Print a line above the bars; in a log, a line is a line."""
        self.bars.console.print(Text(line), soft_wrap=not self.live)


class RunDisplay:
    """Shows one run from its start to its end."""

    def __init__(self, display: Progress, index: int) -> None:
        self._display = display
        self._index = index
        _, self._label, self._epochs = display.runs[index]
        self._alone = len(display.runs) == 1
        self._position = "" if self._alone else f"[{index + 1}/{len(display.runs)}] "
        self._bar: TaskID | None = None
        self._begun = False
        self.closed = False

    def start(self, run: "Run", settings: Settings, folder: Path) -> None:
        """Show that the run begins; of a run alone, its settings in short."""
        if self._alone:
            self._display.console.print(write_run(run, settings, folder))
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
            self._display.bars.update(self._bar, completed=row.epoch, state=state)
        self._display.advance(self._index, row.epoch)

    def end(self, folder: Path, result: Result) -> None:
        """Show the headline numbers of the run, which has ended, and its folder."""
        seconds = f"{result.time_seconds or 0:.1f} s"
        if self._alone:
            self._close(f"{result.status} in {seconds}: {headline(result)}", folder)
        else:
            status = "" if result.status == "completed" else f"{result.status}, "
            self._close(f"{status}{brief(result)}, {seconds}", None)

    def skip(self, folder: Path, result: Result) -> None:
        """Show that the run had ended before and is not trained again."""
        if self._alone:
            self._close(f"{result.status} before, not trained again; {headline(result)}", folder)
        else:
            self._close(f"{result.status} before, {brief(result)}", None)

    def fail(self, error: str) -> None:
        """Show that the run failed; its train.log has the traceback."""
        self._close(f"failed: {error}", None)

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
            self._display.bars.remove_task(self._bar)
            self._bar = None
        self._display.advance(self._index, self._epochs, ended=True)


def checking(runs: int) -> AbstractContextManager[object]:
    """Show, on a terminal, that a grid is being checked; for a run alone that takes no time."""
    console = Console(highlight=False)
    if runs == 1 or not console.is_terminal:
        return nullcontext()
    return console.status(Text(f"checking {runs} runs"))


class _Bars(RichProgress):
    """Leaves room for the ^C that a terminal writes behind the last bar.

    On a line of its own it would keep the first bar from being erased.
    """

    def __init__(self, *columns: ProgressColumn, console: Console, **more: Any) -> None:
        self._terminal = console  # rich asks for the bars before it has a console itself
        super().__init__(*columns, console=console, **more)

    def get_renderable(self) -> RenderableType:
        """Return the bars, a little narrower than the terminal."""
        return Constrain(super().get_renderable(), max(1, self._terminal.width - len("^C") - 1))


def _first(runs: Sequence[Path]) -> str:
    return f"{runs[0]} and {len(runs) - 1} more" if len(runs) > 1 else str(runs[0])


class _Tail:
    """Reads a history that grows, each epoch once, however often the run goes on from a checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self._last = b""  # the line that ends at the offset
        self._epoch = -1

    def rows(self, since: float) -> list[EpochRow]:
        """Return the rows written since the last call; none of a file that is older than `since`."""
        try:
            if self._offset == 0 and self._path.stat().st_mtime < since:
                return []
            with open_regular(self._path, TABLE_LIMIT) as file:
                file.seek(self._offset - len(self._last))
                if file.read(len(self._last)) != self._last:  # the file was cut back to a checkpoint
                    self._offset = file.seek(0)
                text, whole, _ = file.read().rpartition(b"\n")
        except (FileNotFoundError, ValueError):  # not there yet, or somebody else's link
            return []
        if whole:
            self._offset += len(text + whole)
            self._last = text.rpartition(b"\n")[2] + whole
        lines = csv.reader((text + whole).decode().splitlines())
        rows = [_row(cells) for cells in lines if cells and cells[0] != COLUMNS[0]]
        new = [row for row in rows if row.epoch > self._epoch]
        self._epoch = max((row.epoch for row in new), default=self._epoch)
        return new


def _row(cells: Sequence[str]) -> EpochRow:
    values = [float(cell) if cell else None for cell in cells[2 : len(COLUMNS)]]
    time_, *rest = values
    return EpochRow(int(cells[0]), int(cells[1]), time_ or 0.0, *rest)
