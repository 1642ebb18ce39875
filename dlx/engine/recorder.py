"""Writes the files in a run's folder while an engine trains it.

Axes: N samples of a split, K outputs.
"""

import logging
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import dlx
from dlx.config import Settings
from dlx.device import describe_device
from dlx.engine.checkpoints import is_kept_by_default
from dlx.engine.hooks import HookedRun
from dlx.engine.monitor import Monitor
from dlx.engine.probe_files import ProbeFiles
from dlx.engine.run import EpochEnd, Position, Run
from dlx.errors import describe_failure, is_storage_error
from dlx.own.target import own_line
from dlx.run.checkpoint import write_checkpoint
from dlx.run.formats import TableEnd
from dlx.run.history import EpochRow, HistoryWriter
from dlx.run.identity import Fingerprints, identity, is_identity
from dlx.run.paths import CHECKPOINT, HISTORY, PREDICTIONS, RESULT, is_gone
from dlx.run.predictions import write_predictions
from dlx.run.probes import FILES
from dlx.run.recordings import AUTO, NONE, recordings
from dlx.run.result import MetricRecord, Result, write_result

# Seconds between writes of a history. In a stack whose epochs take a third of a millisecond a run, a fifth of
# the time went into opening the files for each row.
PAUSE = 0.5


class Recorder:
    """Writes the files of `run` into `folder`: history and probes after each epoch, the result last.

    `config` is the resolved configuration, stored unchanged, like the `fingerprints` of the user's own code
    and data. `on_epoch` is called with each row of the history and its further columns. `log` writes to the
    run's train.log.

    `state`: from an earlier recorder's `state()`; run and files go on from there. Raises ValueError if the
    files are not those that it left. `ended`: the result of a run that has ended already. It is trained again
    only because its cohort is, from a checkpoint before its end, and nothing is written. `choices`: from the
    groups, as they were typed.
    """

    def __init__(
        self,
        run: Run,
        settings: Settings,
        config: dict[str, Any],
        folder: Path,
        on_epoch: Callable[[EpochRow, Mapping[str, float | None]], None],
        log: logging.Logger,
        fingerprints: Fingerprints | None = None,
        *,
        state: Mapping[str, Any] | None = None,
        ended: Result | None = None,
        choices: Mapping[str, str] | None = None,
    ) -> None:
        self.run, self.folder = run, folder
        self._config, self._settings, self._ended = config, settings, ended
        self._fingerprints, self._identity = fingerprints or None, identity(config, fingerprints)
        self._on_epoch, self._log, self._choices = on_epoch, log, dict(choices or {})
        self._history: HistoryWriter | None = None
        self._probe_files: ProbeFiles | None = None
        self._monitor = Monitor(
            run.monitor.column,
            higher=run.monitor.higher,
            patience=settings.early_stopping.patience,
            min_delta=settings.early_stopping.min_delta,
            copy_model=(lambda: _copy(run.model.state_dict())) if settings.keep == "best" else None,
        )
        self._end: EpochEnd | None = None
        self.start: Position | None = None
        if state is not None:
            self._restore(state)
        elif ended is None:
            self._clear()
            self._probe_files = ProbeFiles(folder, run)
        begun = "" if self.start is None else f"; going on after epoch {self.start.epoch}"
        log.info("training on %s, %d threads%s", describe_device(run.device), torch.get_num_threads(), begun)

    def _clear(self) -> None:
        """Remove what an interrupted attempt left, or the one that rerun=true replaces."""
        for name in (RESULT, HISTORY, PREDICTIONS, CHECKPOINT, *FILES):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def stop(self) -> bool:
        """Whether training should end here: the run diverged, or early stopping ran out of patience."""
        return self._monitor.stop

    @property
    def last_epoch(self) -> int:
        """The last epoch that was recorded."""
        assert self._end is not None, "no epoch has been recorded"
        return self._end.row.epoch

    def epoch(self, end: EpochEnd) -> None:
        """Record the end of an epoch."""
        self._monitor.update(end)
        self._end = end
        if self._ended is not None:
            return
        if self._history is None:
            self._history = HistoryWriter(self.folder / HISTORY, extra=tuple(end.extra), pause=PAUSE)
        self._history.append(end.row, end.extra)
        assert self._probe_files is not None, "only a run that has ended writes no files"
        self._probe_files.append(end.row.epoch, end.observed)
        self._on_epoch(end.row, end.extra)
        if end.row.epoch > 0:
            self._call_hooks(end)

    def _call_hooks(self, end: EpochEnd) -> None:
        metrics, run = asdict(end.row) | dict(end.extra), self.run
        for hook in run.hooks:
            hook(
                HookedRun(
                    end.row.epoch, run.epochs, metrics, run.model, run.optimizers, self.folder, self._config
                )
            )

    def finish(self, **facts: Any) -> Result:
        """Write the remaining files and return the result; `facts` are further fields of it."""
        if self._ended is not None:
            return self._ended
        assert self._end is not None, "a run ends after at least one epoch"
        assert self._probe_files is not None, "only a run that has ended writes no files"
        run, end, best = self.run, self._end, self._monitor.best
        assert self._history is not None, "its rows come with the epochs"
        self._history.flush()
        write_predictions(
            self.folder,
            last=end.val_outputs_NK.cpu().numpy(),
            best=best.val_outputs_NK.cpu().numpy(),
            labels=run.data.val.labels.cpu().numpy(),
            last_epoch=end.row.epoch,
            best_epoch=best.row.epoch,
            exact=not run.classifies,
            rows=None if run.data.val_rows is None else run.data.val_rows.numpy(),
        )
        self._probe_files.end()
        result = Result(
            status="diverged" if self._monitor.diverged else "completed",
            identity=self._identity,
            fingerprints=self._fingerprints,
            config=self._config,
            choices=self._choices,
            last=asdict(end.row) | dict(end.extra),
            best=asdict(best.row) | dict(best.extra),
            monitor=run.monitor.column if run.monitor.column != self._settings.monitor else None,
            metrics={each.name: MetricRecord(higher_is_better=each.higher_is_better) for each in run.metrics},
            epochs_run=end.row.epoch,
            stopped_early=self._monitor.out_of_patience and end.row.epoch < run.epochs,
            time_seconds=end.row.time,
            checkpoint_sha256=self._write_checkpoint(end),
            **_facts(run),
            **facts,
        )
        write_result(self.folder, result)
        self._log.info("%s after epoch %d: %s", result.status, result.epochs_run, result.last)
        return result

    def fail(self, error: Exception) -> None:
        """Write the result of a failed run, unless the error is that nothing can be written."""
        if is_storage_error(error) or is_gone(error, self.folder.parent) or self._ended is not None:
            return
        self._log.error("the run failed", exc_info=error)
        if self._history is not None:
            self._history.flush()
        place = own_line(error)
        write_result(
            self.folder,
            Result(
                status="failed",
                identity=self._identity,
                fingerprints=self._fingerprints,
                config=self._config,
                choices=self._choices,
                error=f"{describe_failure(error)}{f' ({place})' if place else ''}",
            ),
        )

    def state(self) -> dict[str, Any]:
        """Return all that the run needs to go on from the last epoch, as tensors on the CPU and plain values.

        The tables are on the disk when it returns. Random draws need no state (see rng.py).
        """
        assert self._end is not None, "there is nothing to keep before the first epoch"
        self._end.settle()
        row = self._end.row
        return {
            "identity": self._identity,
            "recordings": recordings(self._config),
            "position": asdict(Position(row.epoch, row.step, row.time)),
            "model": _copy(self.run.model.state_dict()),
            "optimizers": [_copy(optimizer.state_dict()) for optimizer in self.run.optimizers],
            "monitor": self._monitor.state(),
            "history": None if self._history is None else self._history.state(),
            "probes": None if self._probe_files is None else self._probe_files.state(),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        if not is_identity(state["identity"], self._config, self._fingerprints):
            raise ValueError(f"{self.folder}: the checkpoint is another run's")
        asked = recordings(self._config)
        if self._ended is None and state.get("recordings", asked) != asked:
            raise ValueError(f"{self.folder}: the checkpoint was written for other probes, or another `keep`")
        self.start = Position(**state["position"])
        self.run.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.run.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.run.probes.continue_after(self.start.step)
        self._monitor.restore(state["monitor"], self.run.device)
        if self._ended is None:
            extra, end = state["history"]
            self._history = HistoryWriter(self.folder / HISTORY, extra=extra, end=TableEnd(*end), pause=PAUSE)
            self._probe_files = ProbeFiles(self.folder, self.run, state["probes"])

    def _write_checkpoint(self, last: EpochEnd) -> str | None:
        """Write the checkpoint, if any is to be kept, and return its SHA-256, else None."""
        keep = self._settings.keep
        if keep == NONE or (keep == AUTO and not is_kept_by_default(self.run)):
            return None
        content: dict[str, Any] = {"identity": self._identity}
        if keep == "best":
            content |= {"epoch": self._monitor.best.row.epoch, "model": self._monitor.best_model}
        else:
            state = self.state()
            content |= {"epoch": last.row.epoch, "model": state.pop("model"), "training": state}
        return write_checkpoint(self.folder, content)


def _copy(state: Any) -> Any:
    """Copy the tensors in a state to the CPU: those of a stacked run are views of the whole stack's."""
    if isinstance(state, Tensor):
        return state.detach().cpu().clone()
    if isinstance(state, Mapping):
        return {key: _copy(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_copy(value) for value in state)
    return state


def _facts(run: Run) -> dict[str, Any]:
    """Return the result's fields on the model, data, machine and versions."""
    data = run.data
    return {
        "parameters": run.parameter_count,
        "layers": [asdict(layer) for layer in run.layers],
        "data": {
            "train": len(data.train),
            "val": len(data.val),
            "test": len(data.test),
            "input_shape": list(data.input_shape),
            "classes": list(data.classes),
        },
        "device": describe_device(run.device),
        "threads": torch.get_num_threads(),
        "versions": {
            "dlx": dlx.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "cores": os.cpu_count(),
        },
    }
