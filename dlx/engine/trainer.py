"""Takes one run through an engine's epochs and leaves its files: history, predictions, result, checkpoint."""

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
from dlx.engine import loop
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

log = logging.getLogger(__name__)


def execute(
    run: Run, settings: Settings, config: dict[str, Any], folder: Path, on_epoch: Callable[[Row], None]
) -> Result:
    """Train `run`, write its files into `folder`, the result last, and return the result.

    `config` is the resolved configuration, stored as it is; `on_epoch` is shown each row as it is written.
    An exception is first written as the result of a failed run, unless it says that nothing can be written.
    """
    # Of an earlier try that did not end, or that rerun=true replaces.
    for name in (RESULT, HISTORY, PREDICTIONS, CHECKPOINT, *FILES):
        (folder / name).unlink(missing_ok=True)
    log.info("training on %s, %d threads", describe(run.device), torch.get_num_threads())
    try:
        result = _train(run, settings, config, folder, on_epoch)
    except Exception as error:
        if not is_storage_error(error):
            log.exception("the run failed")
            line = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            write_result(
                folder, Result(status="failed", identity=identity(config), config=config, error=line)
            )
        raise
    log.info("%s after epoch %d: %s", result.status, result.epochs_run, result.last)
    return result


def _train(
    run: Run, settings: Settings, config: dict[str, Any], folder: Path, on_epoch: Callable[[Row], None]
) -> Result:
    history: HistoryWriter | None = None
    probe_files = ProbeFiles(folder, run)
    monitor = Monitor(
        settings.monitor,
        patience=settings.early_stopping.patience,
        min_delta=settings.early_stopping.min_delta,
        state=(lambda: _copy_state(run)) if settings.keep == "best" else None,
    )
    for end in loop.train(run):
        history = history or HistoryWriter(folder / HISTORY, extra=tuple(end.extra))
        history.append(end.row, end.extra)
        probe_files.append(end.row.epoch, end.observed)
        on_epoch(end.row)
        monitor.update(end)
        if monitor.stop:
            break
    _write_predictions(folder, run, end, monitor.best)
    probe_files.end()
    result = Result(
        status="diverged" if monitor.diverged else "completed",
        identity=identity(config),
        config=config,
        last=asdict(end.row) | dict(end.extra),
        best=asdict(monitor.best.row) | dict(monitor.best.extra),
        epochs_run=end.row.epoch,
        stopped_early=monitor.out_of_patience and end.row.epoch < run.epochs,
        parameters=run.parameter_count,
        layers=[asdict(layer) for layer in run.layers],
        data=_data_facts(run),
        time_seconds=end.row.time,
        **_write_checkpoint(folder, run, settings, end, monitor, identity(config)),
        **_machine_facts(run),
    )
    write_result(folder, result)
    return result


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
