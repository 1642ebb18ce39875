"""`python -m tests.benchmarks.hydra_part RESULT.json train ...`: runs dlx, and says whose code took the time.

A thread looks at the main thread's stack every 2 ms and counts the time since its last look for the innermost
frame of a package it knows. A profiler would slow down small calls, of which Hydra makes more than training
does. Processes that dlx starts are not seen.
"""

import json
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

LOOK_SECONDS = 0.002
# The composer sets values in copies of what Hydra composed; OmegaConf works for Hydra's configurations.
OWNERS = {
    "hydra": "Hydra",
    "omegaconf": "Hydra",
    "antlr4": "Hydra",
    "dlx.compose.composer": "Hydra",
    "dlx": "dlx",
    "torch": "torch",
}
OTHER = "other"


def owner(frame: FrameType | None) -> str:
    """Return whose code a stack is in, by its innermost frame of a known package."""
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        for known in (name, name.partition(".")[0]):
            if known in OWNERS:
                return OWNERS[known]
        frame = frame.f_back
    return OTHER


class Looks(threading.Thread):
    """Adds up seconds by owner until it is stopped."""

    def __init__(self, watched: int) -> None:
        super().__init__(daemon=True)
        self.watched = watched
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        last = time.perf_counter()
        while not self._stopped.wait(LOOK_SECONDS):
            frame = sys._current_frames().get(self.watched)
            now = time.perf_counter()
            self.seconds[owner(frame)] += now - last
            last = now

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()


def main() -> int:
    """Run dlx with the words after the first, which names the file that gets the seconds by owner."""
    result, words = Path(sys.argv[1]), sys.argv[2:]
    sys.setswitchinterval(LOOK_SECONDS / 2)  # a look would otherwise wait 5 ms for the interpreter
    looks = Looks(threading.get_ident())
    looks.start()
    from dlx.cli import main as dlx

    code = dlx(words)
    looks.stop()
    result.write_text(json.dumps(looks.seconds), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
