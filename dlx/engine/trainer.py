"""Trains runs, one alone or several as a stack, and writes the files in each run's folder.

Axes: E epochs, N samples of a split, B of a batch, K outputs.
"""

import logging
import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

import dlx
from dlx import rng
from dlx.config import Settings
from dlx.device import describe_device
from dlx.engine import loop, stacked
from dlx.engine.probes import ProbeResults
from dlx.engine.run import EpochEnd, Run
from dlx.errors import is_storage_error
from dlx.run.checkpoint import write_checkpoint
from dlx.run.formats import TableWriter
from dlx.run.history import EpochRow, HistoryWriter
from dlx.run.identity import Fingerprints, identity
from dlx.run.paths import CHECKPOINT, HISTORY, PREDICTIONS, RESULT
from dlx.run.predictions import write_predictions
from dlx.run.probes import FILES, TABLES, Images, Logits, write_images, write_logits
from dlx.run.result import Result, write_result

# The first optimizer makes torch import its compiler, which takes 1.6 s. Done here, it is paid for before the
# worker processes are forked.
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

    If a run diverges or stops early, the others go on. An exception is recorded as the failure of every run
    that has not ended, if that can still be written, and raised again.
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
    """Writes the files of `run` into `folder`: history and probes after each epoch, the result last.

    `config` is the resolved configuration, stored unchanged, like the `fingerprints` of the user's own code
    and data. `on_epoch` is called with each row of the history. `log` writes to the run's train.log.
    """

    def __init__(
        self,
        run: Run,
        settings: Settings,
        config: dict[str, Any],
        folder: Path,
        on_epoch: Callable[[EpochRow], None],
        log: logging.Logger,
        fingerprints: Fingerprints | None = None,
    ) -> None:
        self.run = run
        self._config, self._folder = config, folder
        self._fingerprints, self._identity = fingerprints or None, identity(config, fingerprints)
        self._keep, self._on_epoch, self._log = settings.keep, on_epoch, log
        # An interrupted attempt, or the one that rerun=true replaces, may have left files.
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
        """Write the remaining files and return the result; `facts` are further fields of it."""
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
        result = Result(
            status="diverged" if self._monitor.diverged else "completed",
            identity=self._identity,
            fingerprints=self._fingerprints,
            config=self._config,
            last=asdict(end.row) | dict(end.extra),
            best=asdict(best.row) | dict(best.extra),
            epochs_run=end.row.epoch,
            stopped_early=self._monitor.out_of_patience and end.row.epoch < run.epochs,
            time_seconds=end.row.time,
            checkpoint_sha256=self._write_checkpoint(end),
            **_facts(run),
            **facts,
        )
        write_result(self._folder, result)
        self._log.info("%s after epoch %d: %s", result.status, result.epochs_run, result.last)
        return result

    def fail(self, error: Exception) -> None:
        """Write the result of a failed run, unless the error is that nothing can be written."""
        if is_storage_error(error):
            return
        self._log.error("the run failed", exc_info=error)
        line = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        write_result(
            self._folder,
            Result(
                status="failed",
                identity=self._identity,
                fingerprints=self._fingerprints,
                config=self._config,
                error=line,
            ),
        )

    def _write_checkpoint(self, last: EpochEnd) -> str | None:
        """Write the checkpoint, if any is to be kept, and return its SHA-256, else None."""
        if self._keep == "none":
            return None
        state, epoch = self._monitor.best_state, self._monitor.best.row.epoch
        if state is None:  # keep=last
            state, epoch = _copy_state(self.run), last.row.epoch
        return write_checkpoint(self._folder, state, epoch, self._identity)


class Monitor:
    """Finds the best epoch, and decides when training should end: it diverged, or no longer improves.

    The best epoch is the first with the highest validation accuracy or the lowest validation loss, depending
    on `metric`. With `patience` above 0, training stops after that many epochs without an improvement of more
    than `min_delta`. `state` is called to copy the model's state at each new best epoch.
    """

    def __init__(
        self,
        metric: Literal["val_accuracy", "val_loss"],
        *,
        patience: int,
        min_delta: float,
        state: Callable[[], dict[str, Tensor]] | None = None,
    ) -> None:
        self._metric, self._patience, self._min_delta, self._state = metric, patience, min_delta, state
        self._score_to_beat, self._waited = -math.inf, 0
        self._best_score = -math.inf
        self._best: EpochEnd | None = None
        self.best_state: dict[str, Tensor] | None = None
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


class ProbeFiles:
    """Writes the files of a run's probes: images at once, tables after each epoch, logits at the end."""

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder = folder
        self._train_labels_N = run.data.train.labels
        self._tables: dict[str, TableWriter] = {}
        self._logits: dict[int, Tensor] = {}  # [N, K] by epoch
        if run.probes.images:
            write_images(folder, sample_images(run, run.probes.images))

    def append(self, epoch: int, results: ProbeResults) -> None:
        """Append an epoch's rows to the tables and keep its logits."""
        for name, rows in results.tables.items():
            if name not in self._tables:
                self._tables[name] = TableWriter(self._folder / name, TABLES[name])
            self._tables[name].append(rows)
        if results.train_outputs_NK is not None:
            self._logits[epoch] = results.train_outputs_NK.cpu()

    def end(self) -> None:
        """Write the logits that were recorded."""
        if self._logits:
            epochs = np.array(list(self._logits))
            outputs_ENK = torch.stack(list(self._logits.values())).numpy()
            write_logits(self._folder, Logits(epochs, outputs_ENK, self._train_labels_N.cpu().numpy()))


def sample_images(run: Run, count: int) -> Images:
    """Return the first `count` images of epoch 1, or all if there are fewer, before and after augmentation.

    The augmentation draws from a separate generator, so training sees other draws.
    """
    inputs, labels_B = run.data.train.batch(loop.sample_order(run, 1)[:count])
    after = inputs
    if run.augment is not None:
        after = run.augment(inputs, rng.generator(run.seeds.augment, "images", 1, run.device))
    return Images(
        before=run.data.stored_unit(inputs).cpu().numpy(),
        after=run.data.stored_unit(after).cpu().numpy(),
        labels=labels_B.cpu().numpy(),
    )


def _copy_state(run: Run) -> dict[str, Tensor]:
    return {
        name: value.detach().cpu().clone() if isinstance(value, Tensor) else value
        for name, value in run.model.state_dict().items()
    }


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
