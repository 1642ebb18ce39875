"""Signals that stop a command: Ctrl-C, and what a closed terminal or a batch system sends.

The first one raises an exception in the main thread, so that files are tidied up and processes ended, and
`cli.main` turns it into one line. The second one ends the process at once.
"""

import atexit
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 143}  # exit codes; a hangup ends a command as SIGTERM does
SAID = {130: "interrupted", 143: "terminated"}
AGAIN = 0.5  # seconds after which an exception that was lost is raised again
SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


class StopSignals:
    """What the signals do to this process; the handlers are in force from `take_over` on."""

    def __init__(self) -> None:
        self._name = ""  # of the command that runs; "" while there is nothing to tidy up
        self._received = 0  # the first signal's exit code
        self._error: BaseException = KeyboardInterrupt()  # what it raised
        self._code: int | None = None  # of the command, which has ended

    def take_over(self) -> None:
        """Handle the signals from here on, except those that whoever started the process ignores (nohup)."""
        for number in numbers():
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        atexit.register(_ignore)  # called last of all, a moment before Python takes its handlers away
        sys.unraisablehook = self._unraisable

    def begin(self, name: str) -> None:
        """Let a signal raise its exception from here on. The line that says so begins with `name`."""
        self._name = name

    def received(self) -> int:
        """Return the exit code of the signal that stopped the command, or 0."""
        return self._received

    def settle(self, code: int | None = None) -> None:
        """Let a signal end the process at once from here on, with this code or its own.

        The command has ended. In what is left, an exception would only become a traceback, as when the
        interpreter waits for threads.
        """
        self._code = code
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number in numbers():
            if signal.getsignal(number) == self._stop:
                signal.signal(number, self._end)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        code = CODES[signal.Signals(number).name]
        if self._received or not self._name or _is_importing(frame):
            self._leave(code)
        self._received = code
        self._error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(code)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._again)
            signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        raise self._error

    def _again(self, *_: object) -> None:
        """Raise the exception again unless it is being handled: C code may lose it, as hasattr() does."""
        handled = sys.exception()
        while handled is not None and handled is not self._error:
            handled = handled.__context__
        if handled is None:
            raise self._error

    def _end(self, number: int, _: FrameType | None) -> NoReturn:
        os._exit(CODES[signal.Signals(number).name] if self._code is None else self._code)

    def _leave(self, code: int) -> NoReturn:
        """End the process at once, with a line."""
        try:
            if os.isatty(1):
                os.write(1, SHOW_CURSOR)
            if os.isatty(2):
                os.write(2, b"\n")  # below the spinner's line, and the ^C that the terminal wrote behind it
            os.write(2, f"{self._name or 'dlx'}: {SAID[code]}\n".encode(errors="backslashreplace"))
        finally:  # nobody may be there to read it
            os._exit(code)

    def _unraisable(self, caught: "sys.UnraisableHookArgs", /) -> None:
        """End the process if a signal's exception was raised where none can be, as in a finaliser.

        Python would print the traceback there and go on as if nothing had happened.
        """
        if self._received and isinstance(caught.exc_value, KeyboardInterrupt | SystemExit):
            self._leave(self._received)
        sys.__unraisablehook__(caught)


def numbers() -> list[signal.Signals]:
    """Return the signals that this system has."""
    return [signal.Signals[name] for name in CODES if hasattr(signal, name)]


def _ignore() -> None:
    for number in numbers():
        signal.signal(number, signal.SIG_IGN)


def _is_importing(frame: FrameType | None) -> bool:
    """Say whether the main thread is in the middle of an import.

    An extension module that is interrupted there may abort the process or print a traceback of its own. An
    import leaves nothing to tidy up.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


signals = StopSignals()
