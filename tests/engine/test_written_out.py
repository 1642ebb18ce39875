"""Which layers are written out, and that their gradients are autograd's."""

import copy

import pytest
import torch
from torch import nn

from dlx.engine.kept_memory import KeptMemory, _parts
from dlx.engine.stacked_layers import StackedDropout
from dlx.engine.written_out import Activation, BatchNorm, Linear, Masked, write_out
from dlx.loss.losses import losses
from dlx.model.models import Dropout


class Own(nn.Linear):
    """A user's layer."""


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Linear(3, 2), Linear),
        (Own(3, 2), None),
        (nn.Linear(3, 2).requires_grad_(requires_grad=False), None),
        (nn.BatchNorm1d(3), BatchNorm),
        (nn.BatchNorm1d(3, affine=False), None),
        (nn.BatchNorm1d(3, track_running_stats=False), None),
        (nn.BatchNorm1d(3, momentum=None), None),
        (nn.BatchNorm2d(3), None),
        (Dropout(0.5), Masked),
        (StackedDropout([Dropout(0.5), Dropout(0.1)]), Masked),
        (nn.Dropout(0.5), None),
        (nn.ReLU(), Activation),
        (nn.ReLU(inplace=True), Activation),
        (nn.Tanh(), Activation),
        (nn.SiLU(inplace=True), None),  # its inputs are gone when the gradient comes
        (nn.LeakyReLU(0.2), Activation),
        (nn.LeakyReLU(0.2, inplace=True), None),
        (nn.Softplus(), None),
        (nn.Flatten(), None),
    ],
)
def test_the_layers_that_are_written_out(layer, kind):
    written = write_out(layer, first=True)
    assert kind is None if written is None else type(written) is kind


LAYERS = {
    "linear": lambda: nn.Linear(4, 4),
    "no bias": lambda: nn.Linear(4, 4, bias=False),
    "batch norm": lambda: nn.BatchNorm1d(4, eps=0.1, momentum=0.3),
    "relu": nn.ReLU,
    "relu in place": lambda: nn.ReLU(inplace=True),
    "leaky relu": lambda: nn.LeakyReLU(0.3),
    "leaky relu, falling": lambda: nn.LeakyReLU(-0.3),
    "elu": lambda: nn.ELU(1.7),
    "gelu": nn.GELU,
    "gelu by tanh": lambda: nn.GELU("tanh"),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_gradients_are_autograds(name):
    torch.manual_seed(0)
    layer = LAYERS[name]().train()
    other = copy.deepcopy(layer)
    written = write_out(layer, first=False)
    for size in (6, 3, 6):
        inputs = torch.randn(size, 4)
        of_outputs = torch.randn(size, 4)
        variable = inputs.clone().requires_grad_()
        expected = other(variable.clone())  # a layer may overwrite it
        other.zero_grad()
        expected.backward(of_outputs)
        with torch.no_grad():
            outputs = written.forward(inputs.clone())
            torch.testing.assert_close(outputs, expected)
            of_inputs = written.backward(of_outputs)
        torch.testing.assert_close(of_inputs, variable.grad)
        for mine, its in zip(layer.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, its.grad)
        for mine, its in zip(layer.buffers(), other.buffers(), strict=True):
            torch.testing.assert_close(mine, its)


def test_dropouts_gradient_is_its_mask():
    layer = Dropout(0.5)
    layer.generator = torch.Generator().manual_seed(0)
    written = write_out(layer.train(), first=False)
    outputs = written.forward(torch.ones(64, 8))
    assert set(outputs.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(written.backward(torch.full((64, 8), 3.0)), 3 * outputs)


def test_nobody_needs_the_gradient_by_the_inputs_of_the_first_layer():
    written = write_out(nn.Linear(4, 2), first=True)
    with torch.no_grad():
        written.forward(torch.randn(3, 4))
        of_outputs = torch.randn(3, 2)
        assert written.backward(of_outputs) is of_outputs


def frozen():
    return nn.Linear(4, 4).requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    ("layers", "kinds", "firsts"),
    [
        ([nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)], ["Linear", "Activation", "Linear"], [True, False]),
        ([nn.Flatten(), nn.Linear(4, 2)], ["_Piece", "Linear"], [True]),
        ([frozen(), nn.ReLU(), nn.Linear(4, 2)], ["_Piece", "Activation", "Linear"], [True]),
        ([nn.Softplus(), nn.LayerNorm(4), nn.Linear(4, 2)], ["_Piece", "Linear"], [False]),
        ([nn.Linear(4, 4), nn.Softplus(), nn.Flatten()], ["Linear", "_Piece"], [True]),
        ([nn.Identity(), Dropout(0.0), nn.Linear(4, 2)], ["Linear"], [True]),
        ([nn.Sequential(nn.Linear(4, 4), nn.Identity()), nn.Tanh()], ["Linear", "Activation"], [True]),
    ],
)
def test_a_net_is_cut_into_layers_and_what_lies_between(layers, kinds, firsts):
    parts = list(_parts(nn.Sequential(*layers)))
    assert [type(part).__name__ for part in parts] == kinds
    assert [part._first for part in parts if isinstance(part, Linear)] == firsts


def test_a_net_of_nothing_that_is_written_out_is_not_suited():
    assert KeptMemory.suits(nn.Sequential(nn.Linear(4, 2)))
    assert not KeptMemory.suits(nn.Sequential(nn.Flatten(), nn.Softplus()))


def test_layers_and_weights_in_two_places_are_not_suited():
    tanh, linear = nn.Tanh(), nn.Linear(4, 4)
    assert not KeptMemory.suits(nn.Sequential(nn.Linear(4, 4), tanh, nn.Linear(4, 4), tanh))
    assert not KeptMemory.suits(nn.Sequential(linear, nn.Tanh(), linear))
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    assert not KeptMemory.suits(tied)


@pytest.mark.parametrize(
    "hook", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"]
)
def test_hooked_layers_are_not_suited(hook):
    model = nn.Sequential(nn.Linear(4, 2), nn.Tanh())
    assert KeptMemory.suits(model.eval())
    getattr(model[1], hook)(print)
    assert not KeptMemory.suits(model)


def test_a_piece_in_between_passes_the_gradient_on():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Softplus(), nn.LayerNorm(4), nn.Linear(4, 2))
    other, inputs, labels = copy.deepcopy(model), torch.randn(6, 4), torch.randint(2, (6,))
    loss = losses.build("cross_entropy", {"reduction": "mean", "label_smoothing": 0.0})
    outputs, of_samples = KeptMemory(model, loss.gradient)(inputs, labels)
    expected = other(inputs)
    torch.nn.functional.cross_entropy(expected, labels).backward()
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(of_samples, loss.per_sample(expected, labels))
    assert not outputs.requires_grad
    for mine, its in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad)


def test_inputs_that_pass_through_what_is_not_trained_need_no_gradient():
    model = nn.Sequential(nn.Softplus(), nn.Linear(4, 2))
    piece, _ = _parts(model)
    with torch.no_grad():
        outputs = piece.forward(torch.zeros(3, 4))
    torch.testing.assert_close(outputs, torch.full((3, 4), 0.6931472))
    assert not outputs.requires_grad
    gradient = torch.ones(3, 4)
    assert piece.backward(gradient) is gradient
