"""The renderer of charts, vl-convert, in a process of its own.

It loads for 0.8 s, and no other thread of its process runs while it works. In its own process it loads while
this one reads the runs, and draws while this one fills the page.
"""

import atexit
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
AXES = {
    "x": {"field": "x", "type": "quantitative", "axis": {"tickCount": 6}},
    "y": {"field": "x", "type": "quantitative", "scale": {"domain": [1, 2], "nice": False}},
    "color": {"field": "of", "type": "nominal", "legend": {"orient": "bottom"}},
}
# Drawn while the runs are read. What it has in common with a report's charts is compiled by then: the first
# two charts of a report took 0.31 s instead of 0.49.
FIRST = {
    "$schema": SCHEMA,
    "data": {"values": [{"x": 1, "of": "a"}, {"x": 2, "of": "a"}]},
    "vconcat": [{"layer": [{"mark": kind, "encoding": AXES} for kind in ("area", "line", "point", "rule")]}],
}
# SIGTRAP and SIGABRT: how V8 ends where it gets no memory, also under `ulimit -v`. SIGKILL: the kernel's way.
NO_MEMORY = (5, 6, 9)


class Renderer:
    """A process that calls functions of vl_convert. It ends with this process, even with a killed one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this file
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for this process alone
        )
        self._lock = Lock()
        atexit.register(self.end)

    def call(self, function: str, *arguments: Any, **options: Any) -> Any:
        """Return what the function of vl_convert returns; raises its ValueError.

        Raises MemoryError if the process was ended for want of memory.
        """
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None and answers is not None, "both are pipes"  # noqa: PT018
        try:
            with self._lock:
                pickle.dump((function, arguments, options), questions)
                questions.flush()
                answer = pickle.load(answers)  # noqa: S301 - from this file
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            kind = MemoryError if -code in NO_MEMORY else RuntimeError
            raise kind(f"the process that draws the charts ended (exit code {code})") from error
        if isinstance(answer, ValueError):
            raise answer
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@cache
def start() -> Renderer:
    """Return this process's renderer; the first call starts it and does not wait until it is loaded."""
    return Renderer()


def _serve() -> None:
    """Answer what comes through standard input; raises EOFError when it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the renderer prints is not an answer
    import vl_convert

    vl_convert.vegalite_to_svg(FIRST)
    while True:
        function, arguments, options = pickle.load(sys.stdin.buffer)  # noqa: S301 - from this file
        try:
            answer = getattr(vl_convert, function)(*arguments, **options)
        except ValueError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    with suppress(EOFError, BrokenPipeError, pickle.UnpicklingError):  # the other process has ended
        _serve()
    os._exit(0)
