"""Decides when a cohort's checkpoint is written and which weights are kept; leaves training when asked to."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dlx.run.checkpoint import CohortCheckpoint

if TYPE_CHECKING:
    from dlx.engine.recorder import Recorder
    from dlx.engine.run import Run

# Of `auto`: the share of the time that checkpoints may take, and the least seconds between two of them.
SHARE = 0.02
LEAST_SECONDS = 2.0
# The cost of the first is estimated: the bytes of the weights, which Adam triples, at a slow 60 MB/s, and
# the run's tables, which are synced.
SECONDS_A_BYTE, SECONDS_A_RUN = 3 / 60e6, 3e-3
# The largest checkpoint of keep=auto: 100 runs take at most 3 GB. That is 2.7 million weights in float32,
# with the two copies that Adam has of them; a ResNet-18 has 11 million.
KEPT_BYTES, COPIES = 32_000_000, 3
PATIENCE = 3.0  # seconds; if a stop is asked for, a longer epoch is left at its next step


def is_kept_by_default(run: "Run") -> bool:
    """Return whether keep=auto keeps the last epoch's weights of a run, with its optimizer's state."""
    size = sum(int(value.nbytes) for value in run.model.state_dict().values())
    # L-BFGS keeps two vectors of each of its last steps.
    steps = [int(group.get("history_size", 0)) for each in run.optimizers for group in each.param_groups]
    copies = COPIES + 2 * max(steps, default=0)
    return size * copies <= KEPT_BYTES


def never() -> None:
    """Ask for no stop."""


class Checkpoints:
    """Writes the checkpoint of a cohort of `cohort` runs into `file`; None: none is kept.

    `every`: "auto", a number of epochs, seconds as in "30s", or "none". `stop` returns the exception with
    which to leave training, or None to go on.
    """

    def __init__(
        self,
        file: CohortCheckpoint | None,
        every: str | int = "auto",
        cohort: int = 1,
        stop: Callable[[], BaseException | None] = never,
    ) -> None:
        self.cohort = cohort
        self._file, self._every, self._stop = file, every, stop
        self._written = self._epoch_began = time.monotonic()
        self._epoch_seconds = 0.0
        self._cost: float | None = None  # seconds that the last one took

    def before_step(self) -> None:
        """Leave training at once if asked to, unless the epoch, and with it a checkpoint, is near its end."""
        error = self._stop()
        if error is not None:
            so_far = time.monotonic() - self._epoch_began
            if max(so_far, self._epoch_seconds) > PATIENCE:
                raise error

    def epoch_end(self, engine: str, recorders: "Sequence[Recorder]") -> None:
        """Write the checkpoint of the runs that go on, if it is due; leave training if asked to."""
        now = time.monotonic()
        self._epoch_seconds, self._epoch_began = now - self._epoch_began, now
        error = self._stop()
        epoch = recorders[0].last_epoch
        if self._file is not None and (error is not None or self._due(epoch, recorders, now)):
            states = {recorder.folder.name: recorder.state() for recorder in recorders}
            self._file.write({"engine": engine, "cohort": self.cohort, "epoch": epoch, "runs": states})
            self._written = self._epoch_began = time.monotonic()
            self._cost = self._written - now
        if error is not None:
            raise error

    def _due(self, epoch: int, recorders: "Sequence[Recorder]", now: float) -> bool:
        if epoch == 0 or self._every == "none":
            return False
        if isinstance(self._every, int):
            return epoch % self._every == 0
        seconds = now - self._written
        if self._every != "auto":
            return seconds >= float(self._every.removesuffix("s"))
        if seconds < LEAST_SECONDS:
            return False
        cost = self._cost
        if cost is None:
            weights = (p for recorder in recorders for p in recorder.run.model.parameters())
            cost = SECONDS_A_BYTE * sum(weight.nbytes for weight in weights) + SECONDS_A_RUN * len(recorders)
        return seconds >= cost / SHARE
