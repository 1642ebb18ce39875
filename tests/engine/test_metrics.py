"""Means of an epoch, for one run and for several, and scalars that wait on the device."""

import torch

from dlx.engine.metrics import STACKED, DeviceScalars, EpochMetrics, Metrics, fetch, sums


def test_means_give_equal_weight_to_samples_not_to_steps():
    metrics = EpochMetrics()
    metrics.add(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, False, True]))
    metrics.add(torch.tensor([6.0]), torch.tensor([True]))
    assert fetch(metrics.sums()) == [[Metrics(3.0, 0.75)]]


def test_each_run_has_its_own_means():
    metrics = EpochMetrics()
    metrics.add(torch.tensor([[1.0, 2.0], [5.0, 6.0]]), torch.tensor([[True, True], [False, False]]))
    metrics.add(torch.tensor([[3.0], [float("nan")]]), torch.tensor([[False], [True]]))
    first, second = fetch(metrics.sums())[0]
    assert first == Metrics(2.0, 2 / 3)
    assert second.loss != second.loss
    assert second.accuracy == 1 / 3


def test_a_long_epochs_sum_keeps_small_terms():
    metrics = EpochMetrics()
    metrics.add(torch.tensor([1e8]), torch.tensor([True]))
    for _ in range(99):
        metrics.add(torch.tensor([1.0]), torch.tensor([True]))
    assert fetch(metrics.sums())[0][0].loss == (1e8 + 99) / 100


def test_parts_of_different_lengths_are_fetched_together():
    two_runs = sums(torch.tensor([[1.0, 3.0], [5.0, 7.0]]), torch.tensor([[True, False], [True, True]]))
    one_run = sums(torch.tensor([2.0]), torch.tensor([False]))
    assert fetch(two_runs, one_run) == [[Metrics(2.0, 0.5), Metrics(6.0, 1.0)], [Metrics(2.0, 0.0)]]


def test_scalars_are_taken_once_and_in_order():
    scalars = DeviceScalars()
    assert scalars.take() == []
    count = STACKED + 3  # one stack, and some that are not stacked yet
    for value in range(count):
        scalars.add(torch.tensor(float(value)), torch.tensor(-float(value)))
    taken = scalars.take()
    assert taken == [number for value in range(count) for number in (value, -value)]
    assert scalars.take() == []


def test_scalars_of_different_precision_can_be_mixed():
    scalars = DeviceScalars()
    scalars.add(torch.tensor(0.5), torch.tensor(1 / 3, dtype=torch.float64))
    assert scalars.take() == [0.5, 1 / 3]
