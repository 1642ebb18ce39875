"""Finds a run's best epoch, and decides when its training should end."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from dlx.engine.run import EpochEnd
from dlx.run.history import EpochRow


class Monitor:
    """Finds the best epoch, and decides when training should end: it diverged, or no longer improves.

    The best epoch is the first with the best value of `column`, a column of the history. With `patience`
    above 0, training stops after that many epochs without an improvement of more than `min_delta`.
    `copy_model` is called to copy the model's state at each new best epoch.
    """

    def __init__(
        self,
        column: str,
        *,
        higher: bool,
        patience: int,
        min_delta: float,
        copy_model: Callable[[], dict[str, Tensor]] | None = None,
    ) -> None:
        self._column, self._sign = column, 1 if higher else -1
        self._patience, self._min_delta = patience, min_delta
        self._copy_model = copy_model
        self._score_to_beat, self._waited = -math.inf, 0
        self._best_score = -math.inf
        self._best: EpochEnd | None = None
        self.best_model: dict[str, Tensor] | None = None
        self.diverged = False

    @property
    def best(self) -> EpochEnd:
        """The best epoch so far; epoch 0, before training, counts."""
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
        """Compare an epoch with the best so far, and check that its losses are finite."""
        score = self._score(end)
        if self._best is None or score > self._best_score:
            self._best, self._best_score = EpochEnd(end.row, end.val_outputs_NK, end.extra), score
            self.best_model = self._copy_model() if self._copy_model else None
        if score > self._score_to_beat + self._min_delta:
            self._score_to_beat, self._waited = score, 0
        else:
            self._waited += 1
        losses = (end.row.train_loss, end.row.val_loss)
        self.diverged = any(loss is not None and not math.isfinite(loss) for loss in losses)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as tensors on the CPU and plain values."""
        return {
            "score_to_beat": self._score_to_beat,
            "waited": self._waited,
            "best_score": self._best_score,
            "best": {
                "row": asdict(self.best.row),
                "extra": dict(self.best.extra),
                "val_outputs": self.best.val_outputs_NK.detach().cpu().clone(),
            },
            "best_model": self.best_model,
        }

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on as the monitor did whose state this is; a run that has diverged has no checkpoint."""
        self._score_to_beat, self._waited = state["score_to_beat"], state["waited"]
        self._best_score = state["best_score"]
        best = state["best"]
        self._best = EpochEnd(EpochRow(**best["row"]), best["val_outputs"].to(device), best["extra"])
        self.best_model = state["best_model"]

    def _score(self, end: EpochEnd) -> float:
        value = end.extra[self._column] if self._column in end.extra else getattr(end.row, self._column)
        return -math.inf if value is None or math.isnan(value) else self._sign * value
