"""A surface as a loss: its height at the two outputs, no accuracy, and the point in the history."""

import pytest
import torch

from dlx.errors import RequestError
from dlx.loss.registry import losses

OUTPUTS = torch.tensor([[3.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
LABELS = torch.zeros(2, dtype=torch.long)


def built(function):
    return losses.build("surface", {"reduction": "mean", "function": function})


def test_the_loss_of_a_sample_is_the_height_at_its_outputs():
    x, y = OUTPUTS.T
    expected = x**2 + y**2 + x * (y + 2) + torch.cos(3 * x)
    torch.testing.assert_close(built("valley").per_sample(OUTPUTS, LABELS), expected, rtol=1e-14, atol=0)
    assert built("x*y").per_sample(OUTPUTS, LABELS).tolist() == [6.0, -0.5]


def test_it_takes_two_outputs_has_no_accuracy_and_measures_the_point():
    loss = built("bowl")
    assert (loss.outputs(10), loss.classifies) == (2, False)
    assert loss.measures(OUTPUTS[:1], LABELS[:1]) == {"x": 3.0, "y": 2.0}
    assert loss.measures(OUTPUTS, LABELS) == {"x": 1.0, "y": 1.25}


def test_a_loss_of_classes_has_an_accuracy_and_measures_nothing():
    loss = losses.build("mean_squared_error", {"reduction": "mean"})
    assert loss.classifies
    assert loss.measures(OUTPUTS, LABELS) == {}


def test_what_is_no_surface_is_refused():
    with pytest.raises(RequestError, match=r"loss.function='x \+ z': there is no symbol 'z'"):
        built("x + z")
    with pytest.raises(RequestError, match=r"loss.function=3: .*string"):
        built(3)
