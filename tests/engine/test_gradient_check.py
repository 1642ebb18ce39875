"""Gradient checks: correct gradients pass, planted errors fail, and entries at kinks are not compared."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.data.dataset import Split
from dlx.engine.gradient_check import INPUT, check_gradients, jittered_batch
from dlx.engine.run import Seeds
from dlx.errors import RequestError
from dlx.loss.losses import losses
from dlx.model.models import ACTIVATIONS, Dropout, models

TOLERANCE = 1e-6
ALL = 0


@pytest.fixture
def make_double(make_run):
    """A run in float64, as `dlx check` builds it: 5 features, 3 classes, 22 training samples."""

    def make(model, **changes):
        run = make_run(model=model.double().eval(), **changes)  # build leaves models in evaluation mode
        split = run.data.train
        return replace(run, data=replace(run.data, train=Split(split.inputs.double(), split.labels)))

    return make


def checked(run, entries=ALL, samples=4):
    results = check_gradients(run, samples=samples, entries=entries, tolerance=TOLERANCE)
    return {result.name: result for result in results}


def wrong(results):
    return [name for name, result in results.items() if not result.passed(TOLERANCE)]


def mlp(**arguments):
    return models.build("mlp", {"sizes": [6, 4], **arguments}, input_shape=(5,), outputs=3)


class Scaled(torch.autograd.Function):
    """Returns its input unchanged, but multiplies the gradient by `factor`."""

    @staticmethod
    def forward(context, x, factor):
        context.factor = factor
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * context.factor, None


class Planted(nn.Module):
    """A linear layer whose weight gets `factor` times its gradient; one factor, or one for each entry."""

    def __init__(self, factor, features=5, outputs=3):
        super().__init__()
        self.linear = nn.Linear(features, outputs)
        self.factor = factor

    def forward(self, x):
        return F.linear(x, Scaled.apply(self.linear.weight, self.factor), self.linear.bias)


def test_differences_match_the_closed_form_of_linear_least_squares(make_double):
    linear = nn.Linear(5, 3)
    run = make_double(linear, loss=losses.build("mean_squared_error", {"reduction": "mean"}))
    inputs, labels = jittered_batch(run, 4)
    residuals = inputs @ linear.weight.detach().T + linear.bias.detach() - F.one_hot(labels, 3)
    expected = {
        "weight": residuals.T @ inputs * 2 / 12,
        "bias": residuals.sum(0) * 2 / 12,
        INPUT: residuals @ linear.weight.detach() * 2 / 12,
    }
    results = checked(run)
    assert results.keys() == expected.keys()
    for name, result in results.items():
        assert len(result.entries) == expected[name].numel()
        for entry in result.entries:
            assert entry.difference == pytest.approx(expected[name][entry.index].item(), rel=1e-7, abs=1e-9)
            assert entry.autograd == pytest.approx(expected[name][entry.index].item(), rel=1e-12)


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_the_verdict_agrees_with_torchs_gradcheck(make_double, factor):
    run = make_double(
        nn.Sequential(OrderedDict(hidden=Planted(factor, 5, 4), tanh=nn.Tanh(), out=nn.Linear(4, 3)))
    )
    inputs, labels = jittered_batch(run, 4)
    names = [name for name, _ in run.model.named_parameters()]

    def loss(x, *values):
        outputs = torch.func.functional_call(run.model, dict(zip(names, values, strict=True)), (x,))
        return run.loss.reduce(run.loss.per_sample(outputs, labels))

    arguments = (inputs.requires_grad_(), *run.model.parameters())
    verdict = torch.autograd.gradcheck(loss, arguments, rtol=1e-5, atol=1e-8, raise_exception=False)
    assert (not wrong(checked(run))) == verdict == (factor == 1)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_norm_passes(make_double, activation, norm):
    results = checked(make_double(mlp(activation=activation, norm=norm, dropout=0.3)), entries=8)
    assert wrong(results) == []
    assert all(result.compared for result in results.values())
    assert results["output.weight"].gradient > 1e-3


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cross_entropy", {"label_smoothing": 0.0}),
        ("cross_entropy", {"label_smoothing": 0.2}),
        ("mean_squared_error", {}),
        ("binary_cross_entropy", {}),
    ],
)
def test_every_loss_passes_with_either_reduction(make_double, name, arguments, reduction):
    loss = losses.build(name, {"reduction": reduction, **arguments})
    assert wrong(checked(make_double(mlp(), loss=loss), entries=8)) == []


def test_a_gradient_that_is_1_percent_too_large_fails_by_name(make_double):
    results = checked(make_double(Planted(1.01)), entries=3)
    assert wrong(results) == ["linear.weight"]
    worst = results["linear.weight"].worst
    assert worst.autograd / worst.difference == pytest.approx(1.01, rel=1e-6)
    assert worst.error == pytest.approx(0.01 / 1.01, rel=1e-4)


def test_a_wrong_sign_in_a_single_entry_is_located(make_double):
    factor = torch.ones(3, 5, dtype=torch.float64)
    factor[1, 3] = -1
    results = checked(make_double(Planted(factor)))
    assert wrong(results) == ["linear.weight"]
    assert results["linear.weight"].worst.index == (1, 3)


def test_a_small_gradient_does_not_hide_its_error_behind_a_large_one(make_double):
    class Faint(Planted):
        def forward(self, x):
            return super().forward(x * 3e-5) + x[:, :3]

    results = checked(make_double(Faint(1.01)), entries=3)
    assert results["linear.weight"].gradient < 3e-5 < results[INPUT].gradient
    assert wrong(results) == ["linear.weight"]


def test_a_parameter_detached_from_autograd_fails(make_double):
    class Detached(nn.Linear):
        def forward(self, x):
            return F.linear(x, self.weight, self.bias.detach())

    assert wrong(checked(make_double(Detached(5, 3)))) == ["bias"]


def test_zero_gradients_pass(make_double):
    model = nn.Sequential(OrderedDict(linear=nn.Linear(5, 4), norm=nn.BatchNorm1d(4), out=nn.Linear(4, 3)))
    model.register_parameter("unused", nn.Parameter(torch.ones(2)))
    results = checked(make_double(model))
    assert wrong(results) == []
    assert results["linear.bias"].gradient < 1e-12  # the norm subtracts it again
    assert results["unused"].gradient == 0
    assert {entry.difference for entry in results["unused"].entries} == {0.0}


def test_frozen_parameters_are_left_out(make_double):
    model = nn.Linear(5, 3)
    model.bias.requires_grad_(False)
    assert list(checked(make_double(model))) == ["weight", INPUT]


@pytest.mark.parametrize("dropout", [Dropout, nn.Dropout], ids=["ours", "torch's"])
def test_dropout_draws_the_same_mask_in_every_evaluation(make_double, dropout):
    """Otherwise differences over steps of 1e-5 would be of the order of 1e5."""
    model = nn.Sequential(nn.Linear(5, 40), dropout(0.5), nn.Linear(40, 3))
    results = checked(make_double(model), entries=10)
    assert wrong(results) == []
    other = checked(make_double(model, seeds=Seeds(order=0, augment=0, dropout=1)), entries=10)
    assert results[INPUT].gradient != other[INPUT].gradient  # dropout is active


def test_a_model_that_draws_from_outside_torch_is_refused(make_double):
    class Noisy(nn.Linear):
        draws = np.random.default_rng(0)

        def forward(self, x):
            return super().forward(x) * self.draws.random()

    with pytest.raises(RequestError, match="draws random numbers from outside torch"):
        checked(make_double(Noisy(5, 3)))


def test_a_loss_that_is_not_finite_is_refused(make_double):
    model = nn.Linear(5, 3)
    nn.init.constant_(model.bias, torch.inf)
    with pytest.raises(RequestError, match="the loss of the batch is nan"):
        checked(make_double(model))


class Bent(nn.Linear):
    """A linear layer with one more weight: at 0 the loss has a kink, and beside it perhaps a curvature."""

    def __init__(self, start, curvature=0.0):
        super().__init__(5, 3)
        self.curvature = curvature
        self.hinge = nn.Parameter(torch.tensor([start], dtype=torch.float64))

    def forward(self, x):
        return super().forward(x) + torch.relu(self.hinge + self.curvature * self.hinge**2) * x[:, :3]


@pytest.mark.parametrize("curvature", [0.0, 3e3])
@pytest.mark.parametrize("start", [0.0, 3e-9, -3e-9])
def test_an_entry_at_a_kink_is_not_compared(make_double, start, curvature):
    hinge = checked(make_double(Bent(start, curvature)))["hinge"]
    assert [entry.kink for entry in hinge.entries] == [True]
    assert hinge.compared == []
    assert hinge.passed(TOLERANCE)


@pytest.mark.parametrize("start", [3e-6, 3e-7, 3e-8, -3e-6])
def test_an_entry_beside_a_kink_is_compared_with_a_smaller_step(make_double, start):
    hinge = checked(make_double(Bent(start)))["hinge"]
    assert [entry.kink for entry in hinge.entries] == [False]
    assert hinge.passed(TOLERANCE)
    assert (hinge.gradient > 0) == (start > 0)


def test_a_wrong_gradient_of_a_strongly_curved_loss_is_not_taken_for_a_kink(make_double):
    class Curved(nn.Linear):
        def __init__(self):
            super().__init__(5, 3)
            self.angle = nn.Parameter(torch.tensor([0.0]))

        def forward(self, x):
            return super().forward(x) + torch.sin(1e4 * Scaled.apply(self.angle, 1.01)) * x[:, :3]

    angle = checked(make_double(Curved()))["angle"]
    assert [entry.kink for entry in angle.entries] == [False]
    assert not angle.passed(TOLERANCE)


def test_the_ties_of_an_images_background_are_broken(make_double):
    """In a constant image every pool is a tie, where differences may follow another maximum than autograd."""
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 3))
    run = make_double(model)
    images = torch.zeros(22, 1, 4, 4, dtype=torch.float64)
    images[:, :, 0, 0] = 1
    run = replace(run, data=replace(run.data, train=Split(images, run.data.train.labels)))
    image = checked(run)[INPUT]
    assert image.passed(TOLERANCE)
    assert len(image.compared) == 64


def test_parameters_and_running_statistics_are_left_as_they_were(make_double):
    run = make_double(mlp(norm="batch", dropout=0.3))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    checked(run, entries=3)
    assert "norm1.running_mean" in before
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())


def test_a_buffer_that_each_forward_pass_changes_is_restored_in_between(make_double):
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(5, 3)
            self.register_buffer("count", torch.ones(()))

        def forward(self, x):
            self.count += 1
            return super().forward(x) * self.count

    run = make_double(Counting())
    assert wrong(checked(run)) == []
    assert run.model.count == 1


def test_the_chosen_entries_include_the_largest_and_follow_the_seed(make_double):
    run = make_double(nn.Linear(5, 3))
    weight = checked(run, entries=4)["weight"]
    indices = [entry.index for entry in weight.entries]
    assert len(set(indices)) == 4
    assert abs(weight.entries[0].autograd) == weight.gradient
    assert [entry.index for entry in checked(run, entries=4)["weight"].entries] == indices
    other = make_double(run.model, seeds=Seeds(order=1, augment=0, dropout=0))
    assert [entry.index for entry in checked(other, entries=4)["weight"].entries] != indices


def test_weights_of_any_shape_and_memory_order_can_be_checked(make_double):
    class Odd(nn.Linear):
        def __init__(self):
            super().__init__(5, 3)
            self.scale = nn.Parameter(torch.tensor(2.0))
            self.weight = nn.Parameter(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).T)

        def forward(self, x):
            return super().forward(x) * self.scale

    results = checked(make_double(Odd()))
    assert wrong(results) == []
    assert [entry.index for entry in results["scale"].entries] == [()]
    assert len(results["weight"].entries) == 15
