"""Shows a request while it trains: live bars on a terminal or in a notebook, lines in a log.

Runs that train in other processes are followed through the histories that they write. Everything is drawn and
printed by the one thread that calls: with a thread that redraws by itself, as rich's progress has it, the two
moved the cursor at the same moment, which erased lines and left bars behind.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dlx.config import Settings
from dlx.notebook import Cell
from dlx.run.history import EpochRow
from dlx.run.paths import HISTORY
from dlx.run.result import Result
from dlx.study.bars import Bar, Pace, draw, draw_whole, fit, write_seconds
from dlx.study.summary import brief, headline, metrics, score, short_metrics, write_run
from dlx.study.tail import Tail

if TYPE_CHECKING:
    from dlx.engine.run import Run

SHOWN = 8  # runs with a bar of their own: the first ones of those that train at once
PAUSE = 30.0  # seconds between lines on a grid's progress in a log
TAILS = (": val acc 0.1234 (best 0.1234), 123.4 s", ": val acc 0.1234")  # about as long as those of most runs
REDRAW = 0.25  # seconds between drawings: often enough to read, and they share the cores with the training


class Progress:
    """Shows the runs of a request; `runs` holds each one's folder, label and number of epochs."""

    def __init__(
        self,
        runs: Sequence[tuple[Path, str, int]],
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.runs = runs
        self.console = console or Console(highlight=False)
        self.cell = self.console if isinstance(self.console, Cell) else None
        on_terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        self.live = on_terminal or self.cell is not None
        self.clock = clock
        self.names, self.tail = [label for _, label, _ in runs], 0
        if self.live and len(runs) > 1:
            room = self.console.width - len(position(len(runs) - 1, len(runs)))
            self.names, self.tail = fit(self.names, [*map(len, TAILS)], room)
        self._of = {folder: RunDisplay(self, index) for index, (folder, _, _) in enumerate(runs)}
        self._epochs = [0] * len(runs)
        self._ended = 0
        self._pace = Pace(sum(epochs for _, _, epochs in runs), clock=clock)
        self._said = self._drawn = clock()
        self._tails = [Tail(folder / HISTORY) for folder, _, _ in runs]
        self._since = time.time()
        self._training: dict[int, Bar] = {}
        self._bars = Live(console=self.console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self.live:
            if not self.cell:
                self._bars.start()
            self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.cell:
            if kind is None:  # the summary repeats them
                self.cell.passing.clear()
            self.cell.show()
        elif self.live:
            self._bars.stop()

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
                    if row.epoch > display.shown:  # not by this process
                        display.epoch(row)
        self._redraw()

    def add(self, index: int, bar: Bar) -> None:
        """Show that a run has begun."""
        self._training[index] = bar

    def advance(self, index: int, epoch: int, *, ended: bool = False) -> None:
        """Move the bar of all runs: this one is at `epoch`."""
        if ended:
            self._training.pop(index, None)
        self._epochs[index] = epoch
        self._ended += ended
        self._pace.reach(sum(self._epochs))
        self._redraw()
        if not self.live and len(self.runs) > 1 and self.clock() - self._said > PAUSE:
            self._said = self.clock()
            seconds = self._pace.seconds_left
            left = f", about {write_seconds(seconds)} left" if seconds else ""
            share = f"{self._pace.share:.0%} of all epochs"
            self.print(f"{self._ended} of {len(self.runs)} runs ended, {share}{left}")

    def print(self, line: str, *, passing: bool = False) -> None:
        """Print a line above the bars; in a log, a line is a line. A notebook keeps no `passing` ones."""
        if self.cell and passing:
            self.cell.passing.append(Text(line))
        else:
            self.console.print(Text(line), soft_wrap=not self.live)

    @property
    def width(self) -> int:
        """The letters of a line that has room for the ^C which a terminal writes behind it.

        On a line of its own, ^C would keep the first bar from being erased.
        """
        return max(1, self.console.width - len("^C") - 1)

    def _redraw(self) -> None:
        if self.live and self.clock() - self._drawn >= REDRAW:
            self._draw()

    def _draw(self) -> None:
        self._drawn = self.clock()
        ascii_only = not self.console.encoding.startswith("utf")
        shown = list(self._training.values())[: max(1, min(SHOWN, self.console.height - 4))]
        lines = draw(shown, self.width, ascii_only=ascii_only)
        if more := len(self._training) - len(shown):
            lines.append(Text(f"and {more} more train"))
        if len(self.runs) > 1:
            whole = draw_whole(self._pace, self._ended, len(self.runs), self.width, ascii_only=ascii_only)
            lines.insert(0, whole)
        if self.cell:
            self.cell.show(lines)
        else:
            self._bars.update(Text("\n").join(lines), refresh=True)


class RunDisplay:
    """Shows one run from its start to its end."""

    def __init__(self, display: Progress, index: int) -> None:
        self._display = display
        self._index = index
        _, label, self._epochs = display.runs[index]
        self._alone = len(display.runs) == 1
        self._bar = Bar(label or "epoch", Pace(self._epochs, clock=display.clock))
        self._begun = False
        self.shown = -1  # the last epoch
        self.closed = False

    def start(self, run: "Run", settings: Settings, folder: Path) -> None:
        """Show that the run begins; of a run alone, its settings in short."""
        if self._alone:
            self._display.console.print(write_run(run, settings, folder))
        self._begin()

    def epoch(self, row: EpochRow, extra: Mapping[str, float | None] = MappingProxyType({})) -> None:
        """Show an epoch's end: in a log, a line of a run alone; a grid's runs have one when they end.

        `extra`: the further columns of the history, such as those of metrics=[...].
        """
        self._begin()
        if self._alone and not self._display.live:
            width = len(str(self._epochs))
            self._display.print(f"epoch {row.epoch:>{width}}/{self._epochs}  {metrics(row, extra)}")
        self.shown = row.epoch
        self._bar.pace.reach(row.epoch)
        self._bar.details = metrics(row, extra) if self._alone else short_metrics(row), short_metrics(row)
        self._display.advance(self._index, row.epoch)

    def end(self, folder: Path, result: Result) -> None:
        """Show the headline numbers of the run, which has ended, and its folder."""
        seconds = f"{result.time_seconds or 0:.1f} s"
        if self._alone:
            self._close([f"{result.status} in {seconds}: {headline(result)}"], folder)
        else:
            status = "" if result.status == "completed" else f"{result.status}, "
            name, last, _ = score(result)
            lines = [f"{status}{brief(result)}, {seconds}", f"{status}{name} {last}"]
            self._close(lines, None, passing=not status)

    def skip(self, folder: Path, result: Result) -> None:
        """Show that the run had ended before and is not trained again."""
        if self._alone:
            self._close([f"{result.status} before, not trained again; {headline(result)}"], folder)
        else:
            name, last, _ = score(result)
            before = f"{result.status} before, "
            self._close([f"{before}{brief(result)}", f"{before}{name} {last}"], None, passing=True)

    def fail(self, error: str) -> None:
        """Show that the run failed; its train.log has the traceback."""
        self._close([f"failed: {error}"], None)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._display.add(self._index, self._bar)

    def _close(self, lines: Sequence[str], folder: Path | None, *, passing: bool = False) -> None:
        """Print how the run ended: the first of `lines`, or a shorter one on a narrow terminal."""
        if self.closed:  # as finished before, by another process
            return
        self.closed = True
        line = lines[min(self._display.tail, len(lines) - 1)]
        if not self._alone:
            here = position(self._index, len(self._display.runs))
            line = f"{here}{self._display.names[self._index]}: {line}"
        self._display.print(line, passing=passing)
        if folder is not None:
            self._display.print(str(folder))
        self._display.advance(self._index, self._epochs, ended=True)


def position(index: int, runs: int) -> str:
    """Return how the line of a grid's run begins."""
    return f"[{index + 1}/{runs}] "


def _first(runs: Sequence[Path]) -> str:
    return f"{runs[0]} and {len(runs) - 1} more" if len(runs) > 1 else str(runs[0])
