"""`dlx report --watch`: renews the report while runs train, until every run has ended or a signal."""

import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dlx.report.load import StudyData, load_study
from dlx.report.page.render import without_reload
from dlx.report.reader import Reader
from dlx.report.text import visible, write_count
from dlx.run.paths import write_atomically
from dlx.signals import CODES, numbers

SECONDS = 10.0  # between two looks
QUIET = 60.0  # seconds without a change or a running run, after which no more is expected
SHARE = 3  # wait at least this many times as long as the last renewal took: the cores are for training
STEP = 0.1  # seconds; how soon a signal is noticed while waiting


class Write(Protocol):
    """Writes the report of a study; the page reloads itself after `refresh` seconds, or never if None."""

    def __call__(self, study: StudyData, *, refresh: int | None, show: bool) -> object:
        """Write the files; `show` prints the table."""


def watch_runs(
    folders: list[Path], write: Write, page: Path, seconds: float = SECONDS, quiet: float = QUIET
) -> int:
    """Renew the report whenever runs have changed; return 0 when all have ended, 130 or 143 after a signal.

    `write` writes `page`. The first signal waits for a page that is being written; a second one stops at
    once and leaves the previous page. Raises what `write` raises if in the end no run has ended.
    """
    with Interrupt() as interrupt:
        _follow(folders, write, seconds, quiet, interrupt)
    if not interrupt.noted:
        return 0
    if page.is_file():
        write_atomically(page, without_reload(page.read_bytes()))
        print(f"\nstopped; {visible(str(page))} no longer reloads itself", flush=True)
    return interrupt.noted


def _follow(folders: list[Path], write: Write, seconds: float, quiet: float, interrupt: "Interrupt") -> None:
    """Look, renew and wait until no run is left to come; the last page does not reload itself."""
    reader = Reader()
    seen, changed = None, time.monotonic()
    while not interrupt.noted:
        began = time.monotonic()
        study = load_study(folders, reader)
        # It changes whenever the report would: files read so far, and the runs in each part.
        state = reader.parsed, tuple(study.runs.index), tuple(study.running), tuple(study.left_out)
        if state != seen:
            seen, changed = state, began
            _renew(study, write, round(max(1.0, seconds)))
        elif not study.running and began - changed >= quiet:
            write(study, refresh=None, show=True)
            return
        interrupt.wait(max(seconds, SHARE * (time.monotonic() - began)))


def _renew(study: StudyData, write: Write, refresh: int) -> None:
    if not study.runs.empty:
        write(study, refresh=refresh, show=sys.stdout.isatty())
    counts = [write_count(len(study.runs), "run") + " ended", f"{len(study.running)} running"]
    counts += [f"{len(study.left_out)} left out"] if study.left_out else []
    progress = [f"{visible(run)}: {words}" for run, words in list(study.running.items())[:1]]
    print("; ".join([f"{time.strftime('%H:%M:%S')}  {', '.join(counts)}", *progress]), flush=True)


class Interrupt:
    """Notes the first signal to stop instead of stopping what is being written; the second acts as usual."""

    def __init__(self) -> None:
        self.noted = 0  # the exit code
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in numbers():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, _: object) -> None:
        self.noted = CODES[signal.Signals(number).name]
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def wait(self, seconds: float) -> None:
        """Sleep for this time, or until a signal."""
        end = time.monotonic() + seconds
        while not self.noted and (left := end - time.monotonic()) > 0:
            time.sleep(min(STEP, left))
