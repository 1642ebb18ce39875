"""Writes what the probes of a run record: tables as epochs end, sample images before, logits at the end."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlx import rng
from dlx.engine.loop import sample_order
from dlx.engine.probes import ProbeResults
from dlx.engine.run import Run
from dlx.run.formats import TableWriter
from dlx.run.probes import TABLES, Images, Logits, write_images, write_logits


class ProbeFiles:
    """The files of a run's probes in its folder; none if no probe is on. Images are written at once."""

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
        """Write the logits of the epochs that were reached."""
        if self._logits:
            epochs = np.array(list(self._logits))
            outputs_ENK = torch.stack(list(self._logits.values())).numpy()
            write_logits(self._folder, Logits(epochs, outputs_ENK, self._train_labels_N.cpu().numpy()))


def sample_images(run: Run, count: int) -> Images:
    """Return the first `count` images of epoch 1, at most all, before and after the run's augmentation.

    The augmentation draws from a generator of its own, so these are not the draws of the run itself.
    """
    inputs, labels_B = run.data.train.batch(sample_order(run, 1)[:count])
    after = inputs
    if run.augment is not None:
        after = run.augment(inputs, rng.generator(run.seeds.augment, "images", 1, run.device))
    return Images(
        before=run.data.stored_unit(inputs).cpu().numpy(),
        after=run.data.stored_unit(after).cpu().numpy(),
        labels=labels_B.cpu().numpy(),
    )
