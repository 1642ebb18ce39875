"""A point: two parameters, exact, the outputs of any input."""

import pytest
import torch

from dlx.errors import RequestError
from dlx.model.registry import models


def test_the_outputs_are_the_start_whatever_the_inputs():
    point = models.build("point", {"start": [0.1, -2]}, input_shape=(3, 8, 8), outputs=2).double()
    outputs = point(torch.randn(5, 3, 8, 8, dtype=torch.float64))
    assert outputs.tolist() == [[0.1, -2.0]] * 5
    assert [(name, p.numel()) for name, p in point.named_parameters()] == [("point", 2)]


def test_the_gradient_sums_over_the_batch():
    point = models.build("point", {"start": [3, 2]}, input_shape=(1,), outputs=2).double()
    (point(torch.zeros(4, 1)) * torch.tensor([1.0, 10.0])).sum().backward()
    assert point.point.grad.tolist() == [4.0, 40.0]


@pytest.mark.parametrize("start", [[3], [1, 2, 3], ["a", 2], [float("nan"), 0], None])
def test_a_start_is_two_finite_numbers(start):
    with pytest.raises(RequestError, match=r"model\.start"):
        models.build("point", {"start": start}, input_shape=(1,), outputs=2)


def test_another_number_of_outputs_is_refused():
    with pytest.raises(RequestError, match=r"model.name=point: has 2 outputs, x and y, and 10 are needed"):
        models.build("point", {"start": [3, 2]}, input_shape=(1,), outputs=10)
