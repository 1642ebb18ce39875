"""Scalars come back in order, whether they were stacked on the way or not."""

import torch

from dlx.engine.scalars import STACKED, Scalars


def test_what_was_added_is_taken_once_and_in_order():
    scalars = Scalars()
    assert scalars.take() == []
    count = STACKED + 3  # a stack, and some that are loose
    for value in range(count):
        scalars.add(torch.tensor(float(value)), torch.tensor(-float(value)))
    taken = scalars.take()
    assert taken == [number for value in range(count) for number in (value, -value)]
    assert scalars.take() == []


def test_single_and_double_precision_mix():
    scalars = Scalars()
    scalars.add(torch.tensor(0.5), torch.tensor(1 / 3, dtype=torch.float64))
    assert scalars.take() == [0.5, 1 / 3]
