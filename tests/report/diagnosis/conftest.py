"""Studies with a known truth, made in memory: curves as nets draw them, with noise and planted pathologies.

Losses and accuracies approach their ends exponentially, at different speeds. An accuracy of p on n samples
has the noise of n draws; a loss has a relative noise of 0.5 to 3%, with heavy tails (Student's t with 5
degrees of freedom) and a correlation of up to 0.5 from epoch to epoch. Axes: R runs, E epochs from epoch 0.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlx.report.design import Design, find_design
from dlx.report.load import METRICS, StudyData
from dlx.report.summary import Summary

CLASSES = 10
CHANCE = 1 / CLASSES
BEGIN = float(np.log(CLASSES))


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
        """Return curves that have arrived: their time constant is at most a tenth of the epochs."""
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
        """Turn validation loss up at a known epoch, by 20 to 150% until the end, accuracy falling or not."""
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

        The study is no noisier than a fifth of the fall over its last fifth, which could not be seen else.
        """
        run = self.clean(speed=self.draw.uniform(0.35, 1.0))
        fall = run.val_loss[-1 - self.epochs // 5] / run.val_loss[-1] - 1
        self.noise = min(self.noise, fall / 5)
        run.planted = "not_converged"
        return run

    def overtaking(self) -> Curves:
        """Learn late: validate at 0.6 until 80% of the epochs, at 0.8 from 90% on."""
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
        """Arrive early, far below what the others reach, without a gap."""
        end = self.draw.uniform(0.25, 0.4)
        way = np.exp(-self.e / (self.epochs * self.draw.uniform(1 / 60, 1 / 20)))
        loss, accuracy = 1.7 + (BEGIN - 1.7) * way, end - (end - CHANCE) * way
        return Curves(loss, accuracy, loss.copy(), accuracy.copy(), planted="underfitting")

    def spiked(self) -> Curves:
        """Throw the run back one to four times, for one to three epochs."""
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
        """Return noise of deviation 1 with heavy tails, each epoch's correlated with the one before."""
        shocks = self.draw.standard_t(5, size=epochs) / np.sqrt(5 / 3)
        wander = np.empty(epochs)
        wander[0] = shocks[0]
        for epoch in range(1, epochs):
            wander[epoch] = self.correlation * wander[epoch - 1] + (
                np.sqrt(1 - self.correlation**2) * shocks[epoch]
            )
        return wander

    def study(self, runs: list[tuple[dict[str, Any], Curves]]) -> tuple[StudyData, Design, Summary]:
        """Return a study of these runs, each with what is set beside the defaults."""
        names = [f"run{place:04}" for place in range(len(runs))]
        histories = [self.noisy(curves) for _, curves in runs]
        settings = {
            name: {"loss.name": "cross_entropy", "data.val_size": self.samples, "seed": place} | changes
            for place, (name, (changes, _)) in enumerate(zip(names, runs, strict=True))
        }
        frame = pd.DataFrame(np.concatenate(histories), columns=list(METRICS))
        frame.insert(0, "epoch", np.concatenate([np.arange(len(history)) for history in histories]))
        frame.insert(0, "run", np.repeat(names, [len(history) for history in histories]))
        table = {
            "folder": ["/nowhere"] * len(runs),
            "status": [curves.status for _, curves in runs],
            "classes": [[str(place) for place in range(CLASSES)]] * len(runs),
        }
        for place, name in enumerate(METRICS):
            table[f"{name}_last"] = [history[-1, place] for history in histories]
        study = StudyData(pd.DataFrame(table, index=pd.Index(names, name="run")), settings, frame, {})
        layout = find_design(settings)
        places = list(range(len(layout.rows)))
        summary = Summary(
            pd.DataFrame({"setting": places, "label": layout.labels}), "val_accuracy", True, "val_accuracy"
        )
        return study, layout, summary


@pytest.fixture(scope="session")
def simulator() -> type[Simulator]:
    return Simulator
