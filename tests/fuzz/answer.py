"""Runs a command line in this process, and says when its answer is one that no user should ever see."""

import io
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from dlx.cli import main

SECONDS = 60  # far more than any example takes, because the machine may be busy
MOST_KILOBYTES = (
    300_000  # more than before: a process with torch and pandas begins with 700,000, which makes 1 GB
)
LONGEST_LINE = 1500  # characters: a message has at most 600, and a path may stand beside it
PEAK = Path("/proc/self/clear_refs"), Path("/proc/self/status")  # Linux only


class Finding(AssertionError):  # noqa: N818 - it is what a search is for
    """dlx answered as it must not."""


class Hang(BaseException):
    """Raised by the alarm; not an Exception, so that no handler takes it for an error of its own."""


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    output: str
    errors: str


def answer(*words: str) -> Answer:
    """Run `dlx WORDS`; raise Finding unless its exit code is known and errors take at most two lines."""
    crashes: list[BaseException] = []
    with guarded() as (output, errors), mock.patch("dlx.crash.keep_traceback", _keeper(crashes)):
        try:
            code = main(words)
        except SystemExit as ended:  # --help
            code = int(ended.code or 0)
    if crashes:
        raise Finding(f"dlx {words!r}: {crashes[0]!r}") from crashes[0]
    said = Answer(code, output.getvalue(), errors.getvalue())
    lines = said.errors.splitlines()
    wrong = {
        "has an odd exit code": code not in (0, 1, 2, 4),
        "ran out of memory": "no memory is left" in said.errors,
        "says nothing": code > 1 and words and not lines,
        "says more than two lines": code != 0 and len(lines) > 2,
        "has a long line": any(len(line) > LONGEST_LINE for line in lines),
        "prints control characters": not all(line.isprintable() for line in lines),
        "shows a traceback": "Traceback (most" in said.output + said.errors,
    }
    for reason in (reason for reason, holds in wrong.items() if holds):
        raise Finding(f"dlx {words!r} {reason}: {said}")
    return said


@contextmanager
def guarded() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Capture the output, turn warnings into errors, end a hang, and raise Finding for 1 GB of memory."""
    output, errors = io.StringIO(), io.StringIO()
    signal.signal(signal.SIGALRM, _hang)
    signal.alarm(SECONDS)
    PEAK[0].exists() and PEAK[0].write_text("5")
    before = _peak_kilobytes()
    try:
        with redirect_stdout(output), redirect_stderr(errors), warnings.catch_warnings(action="error"):
            yield output, errors
    finally:
        signal.alarm(0)
    if (taken := _peak_kilobytes() - before) > MOST_KILOBYTES:
        raise Finding(f"took {taken:,} kB of memory")


def _keeper(crashes: list[BaseException]) -> Callable[[BaseException, Sequence[str]], None]:
    return lambda error, _: crashes.append(error)


def _hang(*_: object) -> None:
    raise Hang(f"no answer after {SECONDS} s")


def _peak_kilobytes() -> int:
    if not PEAK[0].exists():
        return 0
    return next(int(line.split()[1]) for line in PEAK[1].read_text().splitlines() if line.startswith("VmHWM"))
