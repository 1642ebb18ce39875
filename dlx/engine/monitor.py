"""Finds a run's best epoch, and decides when training should end: it diverged, or stopped improving."""

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor

from dlx.engine.run import EpochEnd
from dlx.run.history import EpochRow


class Monitor:
    """Is told of each epoch's end, and then says whether to stop.

    The best epoch is the earliest with the highest validation accuracy or, by `metric`, the lowest validation
    loss. With `patience` above 0, training stops after that many epochs without an improvement of more than
    `min_delta`. With `state`, a copy of the best epoch's state is kept.
    """

    def __init__(
        self,
        metric: Literal["val_accuracy", "val_loss"],
        *,
        patience: int,
        min_delta: float,
        state: Callable[[], dict[str, Tensor]] | None = None,
    ) -> None:
        self._metric = metric
        self._patience = patience
        self._min_delta = min_delta
        self._state = state
        self._score_to_beat, self._waited = -math.inf, 0
        self._best_score = -math.inf
        self._best: EpochEnd | None = None
        self.best_state: dict[str, Tensor] | None = None
        self.diverged = False

    @property
    def best(self) -> EpochEnd:
        """The best epoch so far, epoch 0 (before training) included."""
        assert self._best is not None, "there is no best epoch before the first"
        return self._best

    @property
    def out_of_patience(self) -> bool:
        """Whether early stopping is on and its patience is used up."""
        return 0 < self._patience <= self._waited

    @property
    def stop(self) -> bool:
        """Whether training should end after this epoch."""
        return self.diverged or self.out_of_patience

    def update(self, end: EpochEnd) -> None:
        """Compare an epoch with the earlier ones."""
        score = self._score(end.row)
        if self._best is None or score > self._best_score:
            self._best, self._best_score = end, score
            self.best_state = self._state() if self._state else None
        if score > self._score_to_beat + self._min_delta:
            self._score_to_beat, self._waited = score, 0
        else:
            self._waited += 1
        losses = (end.row.train_loss, end.row.val_loss)
        self.diverged = any(loss is not None and not math.isfinite(loss) for loss in losses)

    def _score(self, row: EpochRow) -> float:
        value = row.val_accuracy if self._metric == "val_accuracy" else row.val_loss
        if value is None or math.isnan(value):
            return -math.inf
        return value if self._metric == "val_accuracy" else -value
