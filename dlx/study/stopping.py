"""Stops training in an orderly way: a signal asks for it, and whatever trains leaves at its next step.

The engine calls `interruption` often, writes a checkpoint, and raises what it got.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from dlx.errors import in_one_line

SIGNALS = [
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__
]


class Interrupted(BaseException):
    """Training was stopped by a signal; the message is one line for the user.

    Not an Exception, because what fails a run on any error must not take it for one.
    """

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(number, message)
        self.number, self.message = number, message

    def __str__(self) -> str:
        return self.message

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints for it in a notebook."""
        return in_one_line(self)

    @property
    def said(self) -> str:
        """What happened, in a word."""
        return "interrupted" if self.number == signal.SIGINT else "terminated"

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C; 143 for SIGTERM, and for SIGHUP, which ends a request as SIGTERM does."""
        return 128 + (signal.SIGINT if self.number == signal.SIGINT else signal.SIGTERM)


_requested = 0  # the signal's number; 0: go on


def request_stop(number: int) -> None:
    """Ask whatever trains in this process to stop at its next step; the first signal counts."""
    global _requested  # noqa: PLW0603 - a process has one set of signal handlers
    _requested = _requested or number


def stop_requested() -> bool:
    """Say whether training is to stop."""
    return bool(_requested)


def interruption() -> Interrupted | None:
    """Return the exception with which to leave training, or None to go on."""
    return Interrupted(_requested) if _requested else None


def forget() -> None:
    """Forget a stop that was asked for: it has been done."""
    global _requested  # noqa: PLW0603
    _requested = 0


@contextmanager
def orderly(at_once: Callable[[], object]) -> Iterator[None]:
    """Let a first signal ask for a stop; let a second one call `at_once` and then do what it did before.

    A signal that is ignored (nohup) stays ignored. Outside the main thread, signals stay as they are.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not stop_requested():
            request_stop(number)
            return
        at_once()
        previous = before[signal.Signals(number)]
        signal.signal(number, previous)
        if callable(previous):
            previous(number, frame)
        else:
            signal.raise_signal(number)

    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
        forget()
