"""Writes what a run's probes recorded: images before training, tables after each epoch, logits at the end.

Axes: E epochs, N samples of a split, K outputs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlx import rng
from dlx.engine import loop
from dlx.engine.probes import ProbeResults
from dlx.engine.run import Run
from dlx.run.formats import TableEnd, TableWriter
from dlx.run.probes import TABLES, Images, Logits, write_images, write_logits


class ProbeFiles:
    """Writes the files of a run's probes, from the beginning or from where a checkpoint left them."""

    def __init__(self, folder: Path, run: Run, before: Mapping[str, Any] | None = None) -> None:
        self._folder = folder
        self._train_labels_N = run.data.train.labels
        self._tables: dict[str, TableWriter] = {}
        self._logits: dict[int, Tensor] = {}  # [N, K] by epoch
        if before is not None:
            ends = {name: TableEnd(*end) for name, end in before["tables"].items()}
            self._tables = {name: TableWriter(folder / name, TABLES[name], end) for name, end in ends.items()}
            self._logits = dict(before["logits"])
        elif run.probes.images:
            write_images(folder, sample_images(run, run.probes.images))

    def append(self, epoch: int, results: ProbeResults) -> None:
        """Append an epoch's rows to the tables and keep its logits."""
        for name, rows in results.tables.items():
            if name not in self._tables:
                self._tables[name] = TableWriter(self._folder / name, TABLES[name])
            self._tables[name].append(rows)
        if results.train_outputs_NK is not None:
            self._logits[epoch] = results.train_outputs_NK.cpu()

    def state(self) -> dict[str, Any]:
        """Sync the tables to the disk; return what the constructor needs to go on from here."""
        return {"tables": {name: list(t.sync()) for name, t in self._tables.items()}, "logits": self._logits}

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
