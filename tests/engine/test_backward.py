"""The backward pass from a given gradient has the bits of torch's, and imports less."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from dlx.engine.backward import backward


@pytest.mark.parametrize("shape", [(7, 5), (3, 7, 5)])
@pytest.mark.parametrize("enabled", [True, False])
def test_gradients_have_the_bits_of_torch(shape, enabled):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    inputs, gradient = torch.randn(shape), torch.randn(*shape[:-1], 3)
    net(inputs).backward(gradient)
    expected = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()
    outputs = net(inputs)
    with torch.set_grad_enabled(enabled):
        backward(outputs, gradient)
    assert all(
        torch.equal(one, parameter.grad) for one, parameter in zip(expected, net.parameters(), strict=True)
    )
    assert all(grad.abs().sum() > 0 for grad in expected)


A_STEP = """
import sys, torch
from dlx.engine.backward import backward
weights = torch.ones(3, requires_grad=True)
backward(2 * weights, torch.ones(3))
print(weights.grad.tolist(), "sympy" in sys.modules)
(2 * weights).backward(torch.ones(3))
print(weights.grad.tolist(), "sympy" in sys.modules)
"""


def test_sympy_is_not_imported():
    """As torch does, or else this module is no longer needed."""
    done = subprocess.run([sys.executable, "-c", A_STEP], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[2.0, 2.0, 2.0] False", "[4.0, 4.0, 4.0] True"]
