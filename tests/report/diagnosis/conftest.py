"""Simulated studies with a known truth: learning curves with realistic noise and planted pathologies.

Losses and accuracies approach their final values exponentially, at different speeds. An accuracy of p on n
samples has the noise of n draws. A loss has a relative noise of 0.5 to 3%, with heavy tails (Student's t with
5 degrees of freedom) and a correlation of up to 0.5 from epoch to epoch. Axes: R runs, E epochs from epoch 0.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from dlx.report.analysis import Analysis
from dlx.report.comparison import Comparisons
from dlx.report.design import find_design
from dlx.report.load import METRICS, StudyData
from dlx.report.summary import Summary

CLASSES = 10
CHANCE = 1 / CLASSES
BEGIN = float(np.log(CLASSES))
Recorded = tuple[dict[str, Any], str, np.ndarray]  # a run's settings, status and history [E, metrics]


@dataclass
class Curves:
    """One run's noise-free curves by epoch from 0, how noisy they are, and how the run ended."""

    train_loss: np.ndarray
    train_accuracy: np.ndarray
    val_loss: np.ndarray
    val_accuracy: np.ndarray
    status: str = "completed"
    planted: str = ""  # the pathology, by the name of the method that made it
    truth: dict[str, float] = field(default_factory=dict)


class Simulator:
    """Draws runs and makes them into studies; every draw comes from one generator."""

    def __init__(self, seed: int, epochs: int = 100, samples: int = 500) -> None:
        self.draw = np.random.default_rng(seed)
        self.epochs, self.samples = epochs, samples
        self.e = np.arange(epochs + 1)
        self.noise = self.draw.uniform(0.005, 0.03)
        self.correlation = self.draw.uniform(0.0, 0.5)
        self.ability = self.draw.uniform(0.65, 0.95)

    def clean(self, accuracy: float | None = None, speed: float | None = None) -> Curves:
        """Return converged curves: their time constant is at most a tenth of the epochs."""
        end = self.ability if accuracy is None else accuracy
        tau = self.epochs * (self.draw.uniform(1 / 60, 1 / 10) if speed is None else speed)
        way = np.exp(-self.e / tau)
        loss = self.draw.uniform(0.25, 1.0)
        gap = self.draw.uniform(0.0, 0.05)
        return Curves(
            0.9 * loss + (BEGIN - 0.9 * loss) * way,
            end + gap - (end + gap - CHANCE) * way,
            loss + (BEGIN - loss) * way,
            end - (end - CHANCE) * way,
        )

    def overfitting(self) -> Curves:
        """Raise validation loss from a known epoch, by 20 to 150% until the end; accuracy may fall."""
        run = self.clean(speed=1 / self.draw.uniform(15, 40))
        start = int(self.draw.uniform(0.15, 0.7) * self.epochs)
        since = np.maximum(0, self.e - start) / (self.epochs - start)
        drop = self.draw.choice([0.0, 0.05])
        run.val_loss = run.val_loss + run.val_loss[start] * self.draw.uniform(0.2, 1.5) * since
        run.val_accuracy = run.val_accuracy - drop * since
        run.train_loss = run.train_loss * np.exp(-self.e / self.epochs)
        run.truth = {"epoch": float(run.val_loss[1:].argmin() + 1)}
        run.planted = "overfitting"
        return run

    def not_converged(self) -> Curves:
        """Stop a run within one to three of its time constants.

        The noise is at most a fifth of the fall over the last fifth; otherwise the fall could not be seen.
        """
        run = self.clean(speed=self.draw.uniform(0.35, 1.0))
        fall = run.val_loss[-1 - self.epochs // 5] / run.val_loss[-1] - 1
        self.noise = min(self.noise, fall / 5)
        run.planted = "not_converged"
        return run

    def overtaking(self) -> Curves:
        """Learn late: validation accuracy is 0.6 until 80% of the epochs, and 0.8 after 90%."""
        run = self.clean(accuracy=0.6, speed=1 / 60)
        late = np.clip((self.e / self.epochs - 0.8) / 0.1, 0, 1)
        run.val_accuracy = run.val_accuracy + 0.2 * late
        run.train_accuracy = run.train_accuracy + 0.2 * late
        return run

    def never_learned(self) -> Curves:
        """Guess at every epoch."""
        flat = np.ones(self.epochs + 1)
        return Curves(BEGIN * flat, CHANCE * flat, BEGIN * flat, CHANCE * flat, planted="never_learned")

    def underfitting(self) -> Curves:
        """Level off early, far below the other runs, with no gap between training and validation."""
        end = self.draw.uniform(0.25, 0.4)
        way = np.exp(-self.e / (self.epochs * self.draw.uniform(1 / 60, 1 / 20)))
        loss, accuracy = 1.7 + (BEGIN - 1.7) * way, end - (end - CHANCE) * way
        return Curves(loss, accuracy, loss.copy(), accuracy.copy(), planted="underfitting")

    def spiked(self) -> Curves:
        """Set the run back one to four times, for one to three epochs each."""
        run = self.clean()
        for _ in range(self.draw.integers(1, 5)):
            start = int(self.draw.uniform(0.2, 0.85) * self.epochs)
            hit = slice(start, start + int(self.draw.integers(1, 4)))
            height, dip = self.draw.uniform(0.5, 1.5) * BEGIN, self.draw.uniform(0.25, 0.5)
            run.val_loss[hit] += height
            run.train_loss[hit] += 0.5 * height
            run.val_accuracy[hit] -= dip
            run.train_accuracy[hit] -= 0.5 * dip
        run.planted = "spiked"
        return run

    def forgetful(self) -> Curves:
        """Fall back to guessing at some epoch and stay there."""
        run = self.clean()
        run.truth = {"epoch": float(int(self.draw.uniform(0.3, 0.8) * self.epochs))}
        after = self.e > run.truth["epoch"]
        run.val_loss[after] = run.train_loss[after] = BEGIN
        run.val_accuracy[after] = run.train_accuracy[after] = CHANCE
        run.planted = "forgetful"
        return run

    def diverged(self) -> Curves:
        """Lose the loss at a known epoch, where the history ends."""
        run = self.clean()
        epoch = int(self.draw.uniform(0.1, 0.9) * self.epochs)
        curves = [getattr(run, name)[: epoch + 1] for name in METRICS]
        run = Curves(*curves, status="diverged", planted="diverged", truth={"epoch": float(epoch)})
        run.train_loss[epoch] = run.val_loss[epoch] = np.nan
        return run

    def noisy(self, run: Curves) -> np.ndarray:
        """Return the run's history [E, metrics] as it would be recorded."""
        epochs = len(run.val_loss)
        columns = []
        for name in METRICS:
            curve = getattr(run, name)
            if name.endswith("loss"):
                columns.append(curve * np.exp(self.noise * self.wander(epochs)))
            else:
                size = self.samples if name.startswith("val") else 5 * self.samples
                columns.append(self.draw.binomial(size, np.clip(curve, 0, 1)) / size)
        history = np.stack(columns, axis=1)
        history[0, :2] = np.nan  # nothing is trained before epoch 1
        return history

    def wander(self, epochs: int) -> np.ndarray:
        """Return noise of deviation 1 with heavy tails, in which neighbouring epochs are correlated."""
        shocks = self.draw.standard_t(5, size=epochs) / np.sqrt(5 / 3)
        shocks[1:] *= np.sqrt(1 - self.correlation**2)
        return lfilter([1.0], [1.0, -self.correlation], shocks)

    def study(self, runs: list[tuple[dict[str, Any], Curves]]) -> Analysis:
        """Return a study of these runs, each with its changes to the default settings."""
        return make_study(self.record(runs))

    def record(self, runs: list[tuple[dict[str, Any], Curves]]) -> list[Recorded]:
        """Return the runs as they would be recorded: with noise, and with all settings."""
        defaults = {"loss.name": "cross_entropy", "data.val_size": self.samples}
        return [
            (defaults | {"seed": seed} | changes, curves.status, self.noisy(curves))
            for seed, (changes, curves) in enumerate(runs)
        ]


def make_study(runs: list[Recorded]) -> Analysis:
    """Return a study of recorded runs, named run0000, run0001 and so on."""
    names = [f"run{index:04}" for index in range(len(runs))]
    settings = {name: values for name, (values, _, _) in zip(names, runs, strict=True)}
    histories = [history for _, _, history in runs]
    lengths = [len(history) for history in histories]
    columns = {"run": np.repeat(names, lengths), "epoch": np.concatenate([*map(np.arange, lengths)])}
    columns |= dict(zip((*METRICS, "lr"), np.concatenate(histories).T, strict=False))  # lr may be missing
    table = {
        "folder": ["/nowhere"] * len(runs),
        "status": [status for _, status, _ in runs],
        "classes": [
            [str(label) for label in range(values.get("classes", CLASSES))] for values in settings.values()
        ],
    }
    for column, metric in enumerate(METRICS):
        table[f"{metric}_last"] = [history[-1, column] for history in histories]
    frame = pd.DataFrame(table, index=pd.Index(names, name="run"))
    design = find_design(settings)
    ranked = pd.DataFrame({"setting": range(len(design.rows)), "label": design.labels})
    return Analysis(
        StudyData(frame, settings, pd.DataFrame(columns), {}),
        design,
        Summary(ranked, "val_accuracy", True, "val_accuracy"),
        Comparisons([], [], "val_accuracy", 0.01, []),
    )


@pytest.fixture(scope="session")
def simulator() -> type[Simulator]:
    return Simulator


@pytest.fixture(scope="session")
def join_runs() -> Any:
    """Return the function that makes one study of runs that different simulators recorded."""
    return make_study
