"""Which epoch is best, when a run has diverged, and when it has stopped improving."""

import math

import pytest
import torch

from dlx.engine.monitor import Monitor
from dlx.engine.run import EpochEnd
from dlx.run.history import EpochRow


def feed(monitor, accuracies, losses=None, train_loss=1.0):
    """Feed epochs until the monitor says stop; return the last epoch."""
    losses = losses or [1.0] * len(accuracies)
    for epoch, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True)):
        row = EpochRow(epoch, epoch, 0.0, 0.1, train_loss if epoch else None, None, loss, accuracy)
        monitor.update(EpochEnd(row, torch.zeros(1, 1)))
        if monitor.stop:
            break
    return epoch


def test_the_best_epoch_is_the_earliest_of_equals():
    monitor = Monitor("val_accuracy", patience=0, min_delta=0.0)
    assert feed(monitor, [0.1, 0.5, 0.7, 0.7, 0.6]) == 4
    assert monitor.best.row.epoch == 2


def test_the_best_epoch_by_loss_has_the_lowest_loss():
    monitor = Monitor("val_loss", patience=0, min_delta=0.0)
    feed(monitor, [0.1, 0.9, 0.5], losses=[3.0, 2.0, 1.0])
    assert monitor.best.row.epoch == 2


def test_patience_counts_epochs_without_an_improvement_above_min_delta():
    monitor = Monitor("val_accuracy", patience=2, min_delta=0.1)
    # 0.55 and 0.58 do not improve on 0.5 by more than 0.1, although 0.58 is the best epoch.
    assert feed(monitor, [0.1, 0.5, 0.55, 0.58, 0.9]) == 3
    assert monitor.out_of_patience
    assert monitor.best.row.epoch == 3


def test_an_improvement_restarts_the_wait():
    monitor = Monitor("val_accuracy", patience=2, min_delta=0.0)
    assert feed(monitor, [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.9]) == 6


@pytest.mark.parametrize(
    ("train", "val"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)]
)
def test_a_loss_that_is_not_finite_counts_as_divergence(train, val):
    monitor = Monitor("val_accuracy", patience=0, min_delta=0.0)
    assert feed(monitor, [0.5, 0.6, 0.7], losses=[1.0, val, 1.0], train_loss=train) == 1
    assert monitor.diverged


def test_the_best_epochs_state_is_kept():
    states = iter([{"w": torch.tensor(float(i))} for i in range(9)])
    monitor = Monitor("val_accuracy", patience=0, min_delta=0.0, state=lambda: next(states))
    feed(monitor, [0.1, 0.5, 0.2, 0.3])
    assert monitor.best_state == {"w": torch.tensor(1.0)}
