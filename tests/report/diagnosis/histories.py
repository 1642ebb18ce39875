"""Histories of the kinds that people have: schedules, healthy or with one thing wrong.

A curve approaches its end exponentially in the sum of the learning rates, above a level that rises with the
rate itself, as the noise of the gradients lifts it. The noise from epoch to epoch is that of `Simulator`,
and shrinks with the rate. Axes: E epochs from epoch 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.signal import lfilter

CLASSES = 10
BEGIN = float(np.log(CLASSES))  # the loss before training


@dataclass
class History:
    """One run: noise-free curves by epoch from 0, the rate of each epoch, and what is known of it."""

    train_loss: np.ndarray
    train_accuracy: np.ndarray
    val_loss: np.ndarray
    val_accuracy: np.ndarray
    rate: np.ndarray
    status: str = "completed"
    classes: int = CLASSES
    samples: int = 500
    settings: dict[str, Any] = field(default_factory=dict)
    noise: float = 0.03  # largest deviation of a loss from epoch to epoch, as a share of it
    spoil: Callable[[np.ndarray], None] | None = None  # what happens to the recorded values, after the noise


class Maker:
    """Makes the histories of one seed."""

    def __init__(self, seed: int, epochs: int = 60) -> None:
        self.draw = np.random.default_rng(seed)
        self.epochs = epochs
        self.e = np.arange(epochs + 1)
        self.t = np.maximum(0, self.e - 1) / max(1, epochs - 1)  # 0 at the first epoch, 1 at the last

    # Schedules: the rate relative to its largest value, by epoch from 0.

    def constant(self) -> np.ndarray:
        return np.ones(self.epochs + 1)

    def warm_up(self) -> np.ndarray:
        return np.minimum(1, self.e / self.draw.integers(3, 9))

    def cosine(self) -> np.ndarray:
        return (1 + np.cos(np.pi * self.e / self.epochs)) / 2

    def linear(self) -> np.ndarray:
        return 1 - self.e / self.epochs

    def exponential(self) -> np.ndarray:
        return self.draw.uniform(0.9, 0.97) ** self.e

    def restarts(self, cycles: int = 3) -> np.ndarray:
        return (1 + np.cos(np.pi * ((self.e - 1) / (self.epochs / cycles) % 1))) / 2

    def steps(self) -> np.ndarray:
        return 0.1 ** ((self.t > 0.5).astype(float) + (self.t > 0.75))

    def one_cycle(self) -> np.ndarray:
        up = np.minimum(1, self.t / 0.3)
        down = np.clip((self.t - 0.3) / 0.7, 0, 1)
        return (0.04 + 0.96 * (1 - np.cos(np.pi * up)) / 2) * (1 + np.cos(np.pi * down)) / 2

    def triangles(self) -> np.ndarray:
        return 0.1 + 0.9 * np.abs((2 * self.t * 3) % 2 - 1)

    # Healthy curves under a schedule.

    def healthy(
        self, shape: np.ndarray, speed: float = 0.0, accuracy: float = 0.0, lifted: bool = True
    ) -> History:
        """Return a run that converges: its time constant is at most a tenth of the training time."""
        draw = self.draw
        time = np.cumsum(np.r_[0, shape[1:]])
        speed = speed or draw.uniform(1 / 60, 1 / 10)
        way = np.exp(-time / (speed * time[-1]))
        accuracy = accuracy or draw.uniform(0.65, 0.95)
        gap, floor = draw.uniform(0, 0.05), draw.uniform(0.25, 1.0)
        lift = np.maximum(0, shape) ** draw.choice([0.5, 1.0, 2.0])
        follow = draw.uniform(0.3, 1.0)  # how fast the lift follows the rate
        lift = lfilter([follow], [1, follow - 1], lift, zi=[(1 - follow) * lift[0]])[0] * (1 - way)
        high, low = lifted * draw.uniform(0, 0.3) * floor, lifted * draw.uniform(0, 0.08)
        return History(
            0.9 * floor + (BEGIN - 0.9 * floor) * way + high * lift,
            accuracy + gap - (accuracy + gap - 0.1) * way - low * lift,
            floor + (BEGIN - floor) * way + high * lift,
            accuracy - (accuracy - 0.1) * way - low * lift,
            shape * 10 ** draw.uniform(-3, -1),
        )

    def noisy(self, run: History) -> np.ndarray:
        """Return the history as it would be recorded [E, metrics and rate]."""
        draw, epochs = self.draw, len(run.val_loss)
        relative, correlation = draw.uniform(run.noise / 6, run.noise), draw.uniform(0, 0.5)
        steady = np.isfinite(run.rate).all() and run.rate.max() > 0
        calm = 0.3 + 0.7 * (run.rate / run.rate.max() if steady else 1.0)
        columns = []
        for name in ("train_loss", "val_loss"):
            shocks = draw.standard_t(5, size=epochs) / np.sqrt(5 / 3) * np.sqrt(1 - correlation**2)
            wander = lfilter([1.0], [1.0, -correlation], shocks)
            columns.append(getattr(run, name) * np.exp(relative * calm * wander))
        for name, size in (("train_accuracy", 5 * run.samples), ("val_accuracy", run.samples)):
            curve = np.clip(getattr(run, name), 0, 1)
            rough = draw.binomial(size, curve) / size
            # The samples are the same at every epoch, so a calm network changes few of its answers.
            columns.append(np.round((curve + calm * (rough - curve)) * size) / size)
        train_loss, val_loss, train_accuracy, val_accuracy = columns
        history = np.stack([train_loss, train_accuracy, val_loss, val_accuracy, run.rate], axis=1)
        history[0, [0, 1, 4]] = np.nan  # nothing is trained before epoch 1
        if run.spoil:
            run.spoil(history)
        return history

    # Healthy kinds beyond schedules.

    def warm_up_jump(self) -> History:
        run = self.healthy(self.warm_up())
        run.val_loss[2:5] += [1.5, 3, 1]
        run.train_loss[2:5] += [1, 2, 0.7]
        return run

    def fine_tuned(self) -> History:
        """Start at 0.85 with a small loss and improve a little."""
        run = self.healthy(self.constant(), accuracy=0.93)
        way = np.exp(-self.e / (0.1 * self.epochs))
        run.val_accuracy, run.train_accuracy = 0.93 - 0.08 * way, 0.95 - 0.08 * way
        run.val_loss, run.train_loss = 0.3 + 0.2 * way, 0.27 + 0.2 * way
        return run

    def early_stopped(self) -> History:
        """Stop ten epochs after the lowest validation loss."""
        run = self.healthy(self.constant())
        since = np.maximum(0, self.e - self.epochs + 10)
        run.train_loss = run.train_loss * np.exp(-self.e / (2 * self.epochs))
        run.val_loss = run.val_loss * (1 + 0.002 * since)
        return run

    def double_descent(self) -> History:
        """Let validation get worse for a while in the middle, and better than ever after that."""
        run = self.healthy(self.constant(), speed=0.05)
        hump = np.exp(-(((self.t - 0.35) / 0.12) ** 2) / 2)
        late = 1 / (1 + np.exp(-(self.t - 0.5) / 0.04))
        run.val_loss = run.val_loss * (1 + 0.5 * hump - 0.15 * late)
        run.val_accuracy = run.val_accuracy - 0.05 * hump
        run.train_loss = run.train_loss * np.exp(-2 * self.t)
        return run

    def regularised(self) -> History:
        """Train under strong augmentation, so that training looks worse than validation."""
        run = self.healthy(self.constant(), accuracy=0.88)
        run.train_accuracy = run.train_accuracy - 0.15 * (1 - np.exp(-self.e / 3))
        run.train_loss = run.train_loss + 0.3 * (1 - np.exp(-self.e / 3))
        return run

    def regression(self) -> History:
        run = self.healthy(self.cosine(), speed=0.08)
        return self.without_accuracy(run)

    def without_accuracy(self, run: History) -> History:
        def forget(history: np.ndarray) -> None:
            history[:, [1, 3]] = np.nan

        run.settings["loss.name"] = "mean_squared_error"
        run.spoil = forget
        return run

    def imbalanced(self) -> History:
        """Reach 0.98 of 95:5 classes: the largest class's share is not the whole of it."""
        run = self.healthy(self.constant(), accuracy=0.98)
        way = np.exp(-self.e / 3)
        run.val_accuracy, run.train_accuracy = 0.98 - 0.03 * way, 0.985 - 0.035 * way
        run.val_loss, run.train_loss = 0.06 + 0.2 * way, 0.055 + 0.2 * way
        run.classes = 2
        return run

    def perfect(self) -> History:
        run = self.healthy(self.constant(), accuracy=1.0)
        run.train_accuracy = np.minimum(1, run.val_accuracy + 0.01)
        return run

    def late_start(self) -> History:
        """Stay at guessing for a fifth of the epochs, then learn."""
        run = self.healthy(self.constant(), speed=0.04)
        delay, run.noise = self.epochs // 5, 0.01
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            curve = getattr(run, name)
            setattr(run, name, np.r_[np.full(delay, curve[0]), curve[:-delay]])
        return run

    def without_rate(self) -> History:
        run = self.healthy(self.constant())
        run.rate = np.full(self.epochs + 1, np.nan)
        return run

    # Kinds with something to say.

    def short(self, shape: np.ndarray) -> History:
        """End after one and a half to three time constants, with noise of a fifth of the last fall."""
        run = self.healthy(shape, speed=self.draw.uniform(0.35, 0.65))
        run.noise = (run.val_loss[-1 - self.epochs // 5] / run.val_loss[-1] - 1) / 5  # or it cannot be seen
        return run

    def still_falling_after_step(self) -> History:
        run = self.healthy(self.steps(), speed=1 / 40)
        since = np.maximum(0, self.t - 0.75) / 0.25
        run.val_loss = run.val_loss + 0.4 * (0.3 - 0.3 * since) * (self.t > 0)
        run.val_accuracy = run.val_accuracy + 0.05 * since
        return run

    def too_slow(self, shape: np.ndarray) -> History:
        run = self.healthy(shape, speed=self.draw.uniform(2.0, 10.0), lifted=False)
        run.rate = run.rate / np.nanmax(run.rate) * 1e-6
        run.noise = 0.01  # weights that hardly move change the loss little
        return run

    def overfitting(self, change: float) -> History:
        """Raise validation loss by half while accuracy changes."""
        run = self.healthy(self.constant(), speed=1 / 25)
        since = np.maximum(0, self.t - 0.35) / 0.65
        run.val_loss = run.val_loss * (1 + self.draw.uniform(0.3, 1.5) * since)
        run.val_accuracy = run.val_accuracy + change * since
        run.train_loss = run.train_loss * np.exp(-2 * self.t)
        return run

    def memorising(self) -> History:
        """Fit the training set perfectly while validation stays 0.3 below."""
        run = self.healthy(self.constant(), accuracy=self.draw.uniform(0.6, 0.7))
        run.train_accuracy = 0.995 - 0.895 * np.exp(-self.e / (0.06 * self.epochs))
        run.train_loss = 0.02 + (BEGIN - 0.02) * np.exp(-self.e / (0.06 * self.epochs))
        run.val_loss = 1.2 + (BEGIN - 1.2) * np.exp(-self.e / (0.06 * self.epochs))
        return run

    def grokking(self) -> History:
        """Train perfectly within a tenth of the run; validate well only after half of it."""
        run = self.memorising()
        jump = 1 / (1 + np.exp(-(self.t - self.draw.uniform(0.5, 0.7)) / 0.02))
        start = run.val_accuracy * 0.4
        run.val_accuracy = start + (0.98 - start) * jump
        run.val_loss, run.noise = 2.5 - 2.4 * jump, 0.015
        return run

    def with_nan(self, epoch: int) -> History:
        run = self.healthy(self.constant())

        def lose(history: np.ndarray) -> None:
            history[epoch, [0, 2]] = np.nan

        run.spoil = lose
        return run

    def collapse(self, epochs: int, *, loss_only: bool = False) -> History:
        """Lose what was learned in the last epochs."""
        run = self.healthy(self.constant())
        run.val_loss[-epochs:] = run.train_loss[-epochs:] = 1.5 * BEGIN
        if not loss_only:
            run.val_accuracy[-epochs:] = run.train_accuracy[-epochs:] = self.draw.uniform(0.1, 0.47)
        return run

    def restart_at_the_end(self) -> History:
        shape = np.r_[self.cosine()[:-2], 1.0, 1.0]
        run = self.healthy(shape)
        run.val_loss[-2:] += 1.0
        run.val_accuracy[-2:] -= 0.3
        return run

    def spiked(self) -> History:
        run = self.healthy(self.cosine())
        start = int(self.draw.uniform(0.2, 0.8) * self.epochs)
        run.val_loss[start : start + 2] += 1.5
        run.train_loss[start : start + 2] += 0.8
        run.val_accuracy[start : start + 2] -= 0.35
        return run

    def forgetful(self) -> History:
        run = self.healthy(self.constant())
        after = self.t > self.draw.uniform(0.3, 0.8)
        run.val_loss[after] = run.train_loss[after] = BEGIN
        run.val_accuracy[after] = run.train_accuracy[after] = 0.1
        return run

    def swinging(self) -> History:
        run = self.healthy(self.constant(), accuracy=0.75)

        def swing(history: np.ndarray) -> None:
            history[1:, 3] += self.draw.normal(0, 0.12, len(history) - 1)

        run.spoil = swing
        return run

    def diverged(self) -> History:
        run = self.with_nan(-1)
        run.status = "diverged"
        return run

    def guessing(self) -> History:
        flat = np.ones(self.epochs + 1)
        return History(BEGIN * flat, 0.1 * flat, BEGIN * flat, 0.1 * flat, 0.1 * flat, noise=0.02)

    def majority(self) -> History:
        """Name the largest class for every sample; its share is 0.87 and not recorded."""
        run = self.guessing()
        run.train_loss = run.val_loss = 0.39 + 0.2 * np.exp(-1.5 * self.e)
        run.train_accuracy = np.where(self.e > 0, 0.865, 0.4)

        def repeat(history: np.ndarray) -> None:
            history[1:, 3] = 0.87

        run.classes, run.spoil = 2, repeat
        return run

    def predicts_the_mean(self) -> History:
        run = self.guessing()
        run.train_loss = run.val_loss = 1.0 + 0.4 * np.exp(-1.5 * self.e)
        return self.without_accuracy(run)

    def loss_never_falls(self) -> History:
        run = self.guessing()
        run.val_loss = 1.0 + 0.1 * (self.e > 0)
        run.train_loss = run.val_loss
        return self.without_accuracy(run)

    def underfitting(self) -> History:
        end, way = self.draw.uniform(0.25, 0.4), np.exp(-self.e / (0.04 * self.epochs))
        loss, accuracy = 1.7 + (BEGIN - 1.7) * way, end - (end - 0.1) * way
        return History(loss, accuracy, loss.copy(), accuracy.copy(), 0.1 * self.constant())
