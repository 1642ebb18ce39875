"""Writes what the probes of a run saw, as its epochs end; arrays at the run's start and end."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlx.engine.probes import Observed
from dlx.engine.run import Run
from dlx.engine.sample_images import sample_images
from dlx.run.probes import TABLES, Logits, write_images, write_logits
from dlx.run.table import TableWriter


class ProbeFiles:
    """The files of a run's probes in its folder; none if no probe is on. Images are written at once."""

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder = folder
        self._train_labels_N = run.data.train.labels
        self._tables: dict[str, TableWriter] = {}
        self._logits: dict[int, Tensor] = {}  # [N, K] by epoch
        if run.probes.images:
            write_images(folder, sample_images(run, run.probes.images))

    def append(self, epoch: int, observed: Observed) -> None:
        """Append an epoch's rows to the tables, each begun when it is first seen; keep its logits."""
        for name, rows in observed.tables.items():
            if name not in self._tables:
                self._tables[name] = TableWriter(self._folder / name, TABLES[name])
            self._tables[name].append(rows)
        if observed.train_outputs_NK is not None:
            self._logits[epoch] = observed.train_outputs_NK.cpu()

    def end(self) -> None:
        """Write the logits of the epochs that were reached."""
        if self._logits:
            epochs = np.array(list(self._logits))
            outputs_ENK = torch.stack(list(self._logits.values())).numpy()
            write_logits(self._folder, Logits(epochs, outputs_ENK, self._train_labels_N.cpu().numpy()))
