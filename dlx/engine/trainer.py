"""Trains runs, one alone or several as a stack, and writes the files that each leaves in its folder."""

import logging
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import dlx
from dlx.config import Settings
from dlx.device import describe_device
from dlx.engine import loop, stacked
from dlx.engine.monitor import Monitor
from dlx.engine.probe_files import ProbeFiles
from dlx.engine.run import EpochEnd, Run
from dlx.errors import is_storage_error
from dlx.run.checkpoint import write_checkpoint
from dlx.run.history import EpochRow, HistoryWriter
from dlx.run.identity import identity
from dlx.run.paths import CHECKPOINT, HISTORY, PREDICTIONS, RESULT
from dlx.run.predictions import write_predictions
from dlx.run.probes import FILES
from dlx.run.result import Result, write_result

# The first optimizer makes torch import its compiler, which takes 1.6 s. Doing that on import lets worker
# processes be forked from one that has already paid for it.
torch.optim.SGD([torch.zeros(1)], lr=1.0)


def execute(recorder: "Recorder") -> Result:
    """Train one run and return its result.

    An exception is recorded as the run's failure, if that can still be written, and raised again.
    """
    try:
        for end in loop.train(recorder.run):
            recorder.epoch(end)
            if recorder.stop:
                break
        return recorder.finish(engine="loop")
    except Exception as error:
        recorder.fail(error)
        raise


def execute_together(recorders: "Sequence[Recorder]") -> list[Result]:
    """Train runs of one `stacked.cohort_key` as a stack and return their results, in order.

    A run that diverges or stops early does not end the others. An exception is recorded as the failure of all
    runs that have not ended, if that can still be written, and raised again.
    """
    active = set(range(len(recorders)))
    results: dict[int, Result] = {}
    try:
        for ends in stacked.train([recorder.run for recorder in recorders], active):
            for index, end in ends.items():
                recorders[index].epoch(end)
                if recorders[index].stop or end.row.epoch == recorders[index].run.epochs:
                    active.discard(index)
                    results[index] = recorders[index].finish(engine="stacked", cohort=len(recorders))
    except Exception as error:
        for index in set(range(len(recorders))) - set(results):
            recorders[index].fail(error)
        raise
    return [results[index] for index in range(len(recorders))]


class Recorder:
    """Writes the files of `run` into `folder`: history and probes as epochs end, then the rest, result last.

    `config` is the resolved configuration, stored unchanged; `on_epoch` is called with each row of the
    history; `log` writes to the run's train.log.
    """

    def __init__(
        self,
        run: Run,
        settings: Settings,
        config: dict[str, Any],
        folder: Path,
        on_epoch: Callable[[EpochRow], None],
        log: logging.Logger,
    ) -> None:
        self.run = run
        self._settings, self._config, self._folder = settings, config, folder
        self._on_epoch, self._log = on_epoch, log
        # An earlier attempt that did not end, or one that rerun=true replaces, has left files.
        for name in (RESULT, HISTORY, PREDICTIONS, CHECKPOINT, *FILES):
            (folder / name).unlink(missing_ok=True)
        self._history: HistoryWriter | None = None
        self._probe_files = ProbeFiles(folder, run)
        self._monitor = Monitor(
            settings.monitor,
            patience=settings.early_stopping.patience,
            min_delta=settings.early_stopping.min_delta,
            state=(lambda: _copy_state(run)) if settings.keep == "best" else None,
        )
        self._end: EpochEnd | None = None
        log.info("training on %s, %d threads", describe_device(run.device), torch.get_num_threads())

    @property
    def stop(self) -> bool:
        """Whether training should end here: the run diverged, or early stopping ran out of patience."""
        return self._monitor.stop

    def epoch(self, end: EpochEnd) -> None:
        """Record the end of an epoch."""
        if self._history is None:
            self._history = HistoryWriter(self._folder / HISTORY, extra=tuple(end.extra))
        self._history.append(end.row, end.extra)
        self._probe_files.append(end.row.epoch, end.observed)
        self._on_epoch(end.row)
        self._monitor.update(end)
        self._end = end

    def finish(self, **facts: Any) -> Result:
        """Write the files that come at the end and return the result, with `facts` among its fields."""
        assert self._end is not None, "a run ends after at least one epoch"
        run, end, best = self.run, self._end, self._monitor.best
        write_predictions(
            self._folder,
            last=end.val_outputs_NK.cpu().numpy(),
            best=best.val_outputs_NK.cpu().numpy(),
            labels=run.data.val.labels.cpu().numpy(),
            last_epoch=end.row.epoch,
            best_epoch=best.row.epoch,
            exact=not run.loss.classifies,
        )
        self._probe_files.end()
        key = identity(self._config)
        result = Result(
            status="diverged" if self._monitor.diverged else "completed",
            identity=key,
            config=self._config,
            last=asdict(end.row) | dict(end.extra),
            best=asdict(best.row) | dict(best.extra),
            epochs_run=end.row.epoch,
            stopped_early=self._monitor.out_of_patience and end.row.epoch < run.epochs,
            time_seconds=end.row.time,
            checkpoint_sha256=self._write_checkpoint(end, key),
            **_facts(run),
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

    def _write_checkpoint(self, last: EpochEnd, key: str) -> str | None:
        """Write the checkpoint that `keep` asks for; return its SHA-256, or None if there is none."""
        if self._settings.keep == "none":
            return None
        if self._settings.keep == "best" and self._monitor.best_state is not None:
            state, epoch = self._monitor.best_state, self._monitor.best.row.epoch
        else:
            state, epoch = _copy_state(self.run), last.row.epoch
        return write_checkpoint(self._folder, state, epoch, key)


def _copy_state(run: Run) -> dict[str, Tensor]:
    state = run.model.state_dict()
    return {
        name: value.detach().cpu().clone() if isinstance(value, Tensor) else value
        for name, value in state.items()
    }


def _facts(run: Run) -> dict[str, Any]:
    """Return the fields of a result that say what was trained, where and with which versions."""
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
