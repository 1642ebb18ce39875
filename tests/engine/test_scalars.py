"""Scalars come back in order, whether they were stacked on the way or not."""

import numpy as np
import torch

from dlx.engine.scalars import STACKED, Scalars


def test_what_was_added_is_taken_once_and_in_order():
    scalars = Scalars()
    assert scalars.take().tolist() == []
    count = STACKED + 3  # a stack, and some that are loose
    for value in range(count):
        scalars.add(torch.tensor(float(value)), torch.tensor(-float(value)))
    taken = scalars.take()
    assert taken.dtype == np.float64
    assert taken.reshape(-1, 2).tolist() == [[value, -value] for value in range(count)]
    assert scalars.take().tolist() == []


def test_single_and_double_precision_mix():
    scalars = Scalars()
    scalars.add(torch.tensor(0.5), torch.tensor(1 / 3, dtype=torch.float64))
    assert scalars.take().tolist() == [0.5, 1 / 3]
