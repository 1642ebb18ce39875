"""Mean absolute gradients and weights, against autograd by hand."""

import pytest
import torch

from dlx.engine.gradient_probe import GradientProbe


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values))


def test_the_mean_over_steps_and_the_weight_at_the_end():
    weight, idle, frozen = parameter(1.0, -2.0), parameter(3.0), parameter(-4.0).requires_grad_(False)
    probe = GradientProbe({"weight": weight, "idle": idle, "frozen": frozen})
    assert probe.rows(0) == [(0, "weight", None, 1.5), (0, "idle", None, 3.0), (0, "frozen", None, 4.0)]
    for factors in ((1.0, -3.0), (5.0, 0.0)):
        weight.grad = None
        (weight * torch.tensor(factors)).sum().backward()
        probe.step()
    with torch.no_grad():
        weight += 1
    assert probe.rows(1)[0] == (1, "weight", (2.0 + 2.5) / 2, 1.5)
    assert probe.rows(2)[0] == (2, "weight", None, 1.5)


def test_a_parameter_without_a_gradient_in_some_steps_is_averaged_over_the_others():
    weight = parameter(1.0)
    probe = GradientProbe({"weight": weight})
    probe.step()
    weight.grad = torch.tensor([-6.0])
    probe.step()
    assert probe.rows(1) == [(1, "weight", 6.0, 1.0)]


def test_sparse_gradients_count_their_zeros():
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    probe = GradientProbe({"weight": embedding.weight})
    embedding(torch.tensor([1, 1])).sum().backward()
    probe.step()
    assert probe.rows(1)[0][2] == pytest.approx(4 / 8)
