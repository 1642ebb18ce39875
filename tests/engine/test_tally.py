"""An epoch's means, of one run and of several."""

import torch

from dlx.engine.tally import Means, Tally


def test_means_are_over_samples_and_not_over_steps():
    tally = Tally()
    tally.add(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, False, True]))
    tally.add(torch.tensor([6.0]), torch.tensor([True]))
    assert tally.means() == [Means(3.0, 0.75)]


def test_each_run_has_its_own():
    tally = Tally()
    tally.add(torch.tensor([[1.0, 2.0], [5.0, 6.0]]), torch.tensor([[True, True], [False, False]]))
    tally.add(torch.tensor([[3.0], [float("nan")]]), torch.tensor([[False], [True]]))
    first, second = tally.means()
    assert first == Means(2.0, 2 / 3)
    assert second.loss != second.loss
    assert second.accuracy == 1 / 3


def test_a_long_epochs_sum_keeps_small_terms():
    tally = Tally()
    tally.add(torch.tensor([1e8]), torch.tensor([True]))
    for _ in range(99):
        tally.add(torch.tensor([1.0]), torch.tensor([True]))
    assert tally.means()[0].loss == (1e8 + 99) / 100
