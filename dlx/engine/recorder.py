"""What one run leaves behind: history, probes, predictions, checkpoint, the result last.

An engine's epochs are handed to it one by one; it says when the run should end.
"""

import logging
import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import dlx
from dlx.config import Settings
from dlx.device import describe
from dlx.engine.monitor import Monitor
from dlx.engine.probe_files import ProbeFiles
from dlx.engine.run import EpochEnd, Run
from dlx.errors import is_storage_error
from dlx.run.checkpoint import write_checkpoint
from dlx.run.history import HistoryWriter, Row
from dlx.run.identity import identity
from dlx.run.paths import CHECKPOINT, HISTORY, PREDICTIONS, RESULT
from dlx.run.predictions import write_predictions
from dlx.run.probes import FILES
from dlx.run.result import Result, write_result


class Recorder:
    """Writes the files of `run` into `folder` as its epochs end.

    `config` is the resolved configuration, stored as it is; `on_epoch` is shown each row as it is written;
    `log` takes what belongs into the run's train.log.
    """

    def __init__(
        self,
        run: Run,
        settings: Settings,
        config: dict[str, Any],
        folder: Path,
        on_epoch: Callable[[Row], None],
        log: logging.Logger,
    ) -> None:
        self.run = run
        self._settings, self._config, self._folder = settings, config, folder
        self._on_epoch, self._log = on_epoch, log
        # Of an earlier try that did not end, or that rerun=true replaces.
        for name in (RESULT, HISTORY, PREDICTIONS, CHECKPOINT, *FILES):
            (folder / name).unlink(missing_ok=True)
        self._history: HistoryWriter | None = None
        self._probes = ProbeFiles(folder, run)
        self._monitor = Monitor(
            settings.monitor,
            patience=settings.early_stopping.patience,
            min_delta=settings.early_stopping.min_delta,
            state=(lambda: _copy_state(run)) if settings.keep == "best" else None,
        )
        self._end: EpochEnd | None = None
        log.info("training on %s, %d threads", describe(run.device), torch.get_num_threads())

    @property
    def stop(self) -> bool:
        """Whether the run should end here: it diverged, or early stopping has run out of patience."""
        return self._monitor.stop

    def epoch(self, end: EpochEnd) -> None:
        """Take note of an epoch's end."""
        if self._history is None:
            self._history = HistoryWriter(self._folder / HISTORY, extra=tuple(end.extra))
        self._history.append(end.row, end.extra)
        self._probes.append(end.row.epoch, end.observed)
        self._on_epoch(end.row)
        self._monitor.update(end)
        self._end = end

    def finish(self, **facts: Any) -> Result:
        """Write what is written at the end, the result last, and return it; `facts` go into it too."""
        assert self._end is not None, "finished before any epoch"
        run, end, best = self.run, self._end, self._monitor.best
        _write_predictions(self._folder, run, end, best)
        self._probes.end()
        key = identity(self._config)
        result = Result(
            status="diverged" if self._monitor.diverged else "completed",
            identity=key,
            config=self._config,
            last=asdict(end.row) | dict(end.extra),
            best=asdict(best.row) | dict(best.extra),
            epochs_run=end.row.epoch,
            stopped_early=self._monitor.out_of_patience and end.row.epoch < run.epochs,
            parameters=run.parameter_count,
            layers=[asdict(layer) for layer in run.layers],
            data=_data_facts(run),
            time_seconds=end.row.time,
            **_write_checkpoint(self._folder, run, self._settings, end, self._monitor, key),
            **_machine_facts(run),
            **facts,
        )
        write_result(self._folder, result)
        self._log.info("%s after epoch %d: %s", result.status, result.epochs_run, result.last)
        return result

    def fail(self, error: Exception) -> None:
        """Write the result of a failed run, unless the error says that nothing can be written."""
        if is_storage_error(error):
            return
        self._log.error("the run failed", exc_info=error)
        line = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        key = identity(self._config)
        write_result(self._folder, Result(status="failed", identity=key, config=self._config, error=line))


def _write_checkpoint(
    folder: Path, run: Run, settings: Settings, last: EpochEnd, monitor: Monitor, key: str
) -> dict[str, str]:
    if settings.keep == "none":
        return {}
    if settings.keep == "best" and monitor.best_state is not None:
        state, epoch = monitor.best_state, monitor.best.row.epoch
    else:
        state, epoch = _copy_state(run), last.row.epoch
    return {"checkpoint_sha256": write_checkpoint(folder, state, epoch, key)}


def _copy_state(run: Run) -> dict[str, Tensor]:
    state = run.model.state_dict()
    return {
        name: value.detach().cpu().clone() if isinstance(value, Tensor) else value
        for name, value in state.items()
    }


def _write_predictions(folder: Path, run: Run, last: EpochEnd, best: EpochEnd) -> None:
    write_predictions(
        folder,
        last=last.val_outputs_NK.cpu().numpy(),
        best=best.val_outputs_NK.cpu().numpy(),
        labels=run.data.val.labels.cpu().numpy(),
        last_epoch=last.row.epoch,
        best_epoch=best.row.epoch,
        exact=not run.loss.classifies,
    )


def _data_facts(run: Run) -> dict[str, Any]:
    return {
        "train": len(run.data.train),
        "val": len(run.data.val),
        "test": len(run.data.test),
        "input_shape": list(run.data.input_shape),
        "classes": list(run.data.classes),
    }


def _machine_facts(run: Run) -> dict[str, Any]:
    return {
        "device": describe(run.device),
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
