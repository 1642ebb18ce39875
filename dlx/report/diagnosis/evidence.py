"""StudyData -> arrays: runs with equally many epochs side by side, and what their predictions say.

Axes: R runs, E epochs (the first is epoch 1), N validation samples, K outputs.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dlx.report.diagnosis.answers import Answers, read_answers
from dlx.report.diagnosis.trend import Flags, Floats, smooth
from dlx.report.load import METRICS, StudyData

LARGEST = 1e100  # beyond, squares overflow
CLASSIFYING = ("cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class Block:
    """Completed runs of equally many epochs.

    `curves`: by metric [R, E], NaN where missing; `untrained`: by metric [R], before training. `chance_R`:
    the accuracy of guessing (the larger of 1 / classes and the largest class's share), `samples_R`: how
    many validation samples there are; NaN where it is not known.
    """

    runs: list[str]
    curves: dict[str, Floats]
    untrained: dict[str, Floats]
    chance_R: Floats
    samples_R: Floats

    @property
    def epochs(self) -> int:
        """Return E."""
        return int(self.curves[METRICS[0]].shape[1])

    @cached_property
    def smoothed(self) -> dict[str, Floats]:
        """Return the curves' running medians over five epochs."""
        return {name: smooth(curve_RE, 2) for name, curve_RE in self.curves.items()}

    def finite(self, *metrics: str) -> Flags:
        """Say of each run whether these curves have a value at every epoch [R]."""
        whole = [np.isfinite(self.curves[name]).all(axis=1) for name in metrics]
        return np.asarray(np.all(whole, axis=0), dtype=np.bool_)


class Evidence:
    """What the checks look at, each part made when it is first asked for."""

    def __init__(self, study: StudyData) -> None:
        self.study = study
        self.folders: dict[str, Path] = {
            str(run): Path(folder) for run, folder in study.runs["folder"].items()
        }
        statuses = study.runs["status"]
        self.completed = [str(run) for run in statuses.index[statuses == "completed"]]
        self.diverged = [str(run) for run in statuses.index[statuses == "diverged"]]

    @property
    def answers(self) -> dict[str, Answers]:
        """Of each completed run of a classifier with readable predictions, what they say."""
        return self._read[0]

    @property
    def damaged(self) -> list[str]:
        """Runs whose predictions could not be read."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[dict[str, Answers], list[str]]:
        losses = {run: self.study.settings[run].get("loss.name") for run in self.completed}
        folders = {run: self.folders[run] for run in self.completed if losses[run] in (*CLASSIFYING, None)}
        return read_answers(folders)

    @cached_property
    def rows(self) -> dict[str, Floats]:
        """By run, its history [epochs with epoch 0, metrics in the order of METRICS]."""
        histories = self.study.histories
        if histories.empty:
            return {}
        values = histories[[*METRICS]].to_numpy(dtype=np.float64)
        values = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)
        names = histories["run"].to_numpy()
        starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
        return {
            str(names[start]): part for start, part in zip(starts, np.split(values, starts[1:]), strict=True)
        }

    @cached_property
    def blocks(self) -> list[Block]:
        """Completed runs with at least one epoch of training, by their number of epochs."""
        by_length: dict[int, list[str]] = {}
        for run in self.completed:
            if run in self.rows and len(self.rows[run]) > 1:
                by_length.setdefault(len(self.rows[run]), []).append(run)
        return [self._block(runs) for _, runs in sorted(by_length.items())]

    def _block(self, runs: list[str]) -> Block:
        values_REM = np.stack([self.rows[run] for run in runs])
        classes = self.study.runs["classes"]
        chance_R, samples_R = np.full(len(runs), np.nan), np.full(len(runs), np.nan)
        for place, run in enumerate(runs):
            known = self.answers.get(run)  # exact; the settings may give a share, or nothing
            size = self.study.settings[run].get("data.val_size")
            if isinstance(classes[run], list) and len(classes[run]) > 1:
                chance_R[place] = 1 / len(classes[run])
            if known:
                samples_R[place] = known.samples
                chance_R[place] = np.fmax(chance_R[place], known.largest_class)
            elif isinstance(size, int) and size > 1:
                samples_R[place] = size
        return Block(
            runs,
            {name: values_REM[:, 1:, place] for place, name in enumerate(METRICS)},
            {name: values_REM[:, 0, place] for place, name in enumerate(METRICS)},
            chance_R,
            samples_R,
        )
