"""Layer statistics agree with NumPy's, even for large numbers, and cover all calls of a layer."""

import numpy as np
import pytest
import torch
from torch import nn

from dlx.engine.probes import GATHERED, LayerProbe, Moments, Probes, Scratch


def draws(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def statistics(pieces):
    moments = Moments(Scratch())
    for piece in pieces:
        moments.add(piece)
    return moments.take()


def expected(pieces):
    values = np.concatenate([piece.double().numpy().ravel() for piece in pieces])
    return values.mean(), np.abs(values).mean(), values.std()


@pytest.mark.parametrize("sizes", [(7,), (1, 1, 5), (GATHERED - 1, 3, GATHERED, 2 * GATHERED + 5, 1)])
def test_moments_do_not_depend_on_how_the_values_are_split(sizes):
    pieces = [draws(size, seed=size) * 3 + index for index, size in enumerate(sizes)]
    assert statistics(pieces) == pytest.approx(expected(pieces), rel=1e-12)


def test_moments_without_values_are_none_and_taking_resets_them():
    moments = Moments(Scratch())
    assert moments.take() is None
    moments.add(draws(4))
    assert moments.take() is not None
    assert moments.take() is None


@pytest.mark.parametrize(
    ("dtype", "mean", "tolerance"), [(torch.float32, 1e5, 1e-3), (torch.float64, 1e9, 1e-6)]
)
def test_the_deviation_is_accurate_when_the_mean_is_much_larger(dtype, mean, tolerance):
    """In the same precision, the error of E[x^2] - E[x]^2 is larger than the deviation."""
    pieces = [(draws(GATHERED // 2, seed=seed) + mean).to(dtype) for seed in range(6)]
    naive = torch.cat(pieces).square().mean() - torch.cat(pieces).mean().square()
    assert abs(naive - 1) > 0.1
    assert statistics(pieces)[2] == pytest.approx(expected(pieces)[2], rel=tolerance)


def test_pieces_of_different_means_merge():
    pieces = [draws(2 * GATHERED) + 1e6, draws(GATHERED) - 1e6]
    assert statistics(pieces) == pytest.approx(expected(pieces), rel=1e-12)


def test_a_tensor_may_change_after_it_was_added():
    values = torch.ones(5)
    moments = Moments(Scratch())
    moments.add(values)
    values.zero_()
    assert moments.take() == (1.0, 1.0, 0.0)


def test_layers_of_different_sizes_and_types_share_one_scratch():
    scratch, pieces = Scratch(), [draws(9), draws(3), draws(20, dtype=torch.float32), draws(12) + 5]
    moments = [Moments(scratch) for _ in pieces]
    for each, piece in zip(moments, pieces, strict=True):
        each.add(piece)
    for each, piece in zip(moments, pieces, strict=True):
        assert each.take() == pytest.approx(expected([piece]), rel=1e-5)


def test_values_of_half_precision_do_not_overflow():
    assert statistics([torch.full((1000,), 1000.0, dtype=torch.float16)]) == (1000.0, 1000.0, 0.0)


def test_values_that_are_not_finite_do_not_affect_other_layers():
    model = nn.Sequential(nn.Identity(), nn.Sigmoid())
    probe = LayerProbe(model)
    with Probes(layers=probe).watch("training", model):
        model(torch.tensor([1.0, torch.inf, -torch.inf]))
    first, second = probe.rows(4)
    assert np.isnan([first[4], first[6]]).all()
    assert first[5] == np.inf
    assert second[:4] == (4, "training", "1", "Sigmoid")
    assert second[4] == pytest.approx((1 + torch.sigmoid(torch.tensor(1.0)).item()) / 3)


def test_values_whose_squares_overflow_have_an_infinite_deviation():
    assert statistics([torch.tensor([1e300, -1e300], dtype=torch.float64)])[2] == np.inf


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.activation(self.layer(self.activation(self.layer(x))))


def test_calls_of_a_layer_are_merged_and_phases_are_kept_apart():
    model, x = Twice(), draws(4, 3, dtype=torch.float32)
    probe = LayerProbe(model)
    with Probes(layers=probe).watch("training", model):
        model(x)
        model(x + 1)
    with Probes(layers=probe).watch("validation", model):
        model(x - 1)
    model(x + 5)  # outside both contexts
    rows = {(phase, layer): row for _, phase, layer, _, *row in probe.rows(1)}
    for phase, inputs in (("training", (x, x + 1)), ("validation", (x - 1,))):
        outputs = []
        for value in inputs:
            first = model.layer(value).detach()
            outputs += [first, model.layer(first.relu()).detach()]  # before the activation overwrites it
        assert rows[phase, "layer"] == pytest.approx(expected(outputs), rel=1e-5)
        assert rows[phase, "activation"] == pytest.approx(expected([o.relu() for o in outputs]), rel=1e-5)
