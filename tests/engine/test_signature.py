"""Models of one signature differ in the values of their tensors alone."""

import functools

import pytest
import torch
from torch import nn

from dlx.engine.signature import signature
from dlx.engine.stacked_model import UnstackableError
from dlx.model.models import models


def mlp(seed=0, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.build("mlp", {"sizes": [7]} | settings, input_shape=(5,), outputs=4)


def test_seeds_and_dropout_make_no_difference():
    assert signature(mlp(0)) == signature(mlp(1))
    assert signature(mlp(dropout=0.1)) == signature(mlp(dropout=0.2))


def test_structures_and_settings_differ():
    nets = [
        mlp(),
        mlp(sizes=[8]),
        mlp(norm="batch"),
        mlp(activation="tanh"),
        mlp(bias=False),
        mlp(sizes=[7, 7]),
    ]
    nets += [mlp().double(), mlp().requires_grad_(False)]
    nets += [nn.Sequential(nn.BatchNorm1d(3, momentum=momentum)) for momentum in (0.1, 0.01)]
    assert len({signature(net) for net in nets}) == len(nets)


class Net(nn.Module):
    def __init__(self, **attributes):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        vars(self).update(attributes)

    def forward(self, x):
        return self.layer(x)


def scaled(factor):
    return lambda x: x * factor


@pytest.mark.parametrize(
    ("value", "same", "other"),
    [
        (2.0, 2.0, 3.0),
        ([1, {"a": (2,)}], [1, {"a": (2,)}], [1, {"a": (3,)}]),
        (torch.arange(3), torch.arange(3), torch.arange(3) + 1),
        (torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2)),
        (scaled(2), scaled(2), scaled(3)),
        (functools.partial(max, 1), functools.partial(max, 1), functools.partial(max, 2)),
        ({"b", "a"}, {"a", "b"}, {"a"}),
        (torch.device("cpu"), torch.device("cpu"), torch.device("meta")),
        (Net(), None, Net()),  # in no child's place: its weights are constants, and differ
    ],
)
def test_every_attribute_counts_with_its_value(value, same, other):
    assert signature(Net(kept=value)) == signature(Net(kept=value if same is None else same))
    assert signature(Net(kept=value)) != signature(Net(kept=other))


def test_two_functions_of_one_name_differ():
    assert signature(Net(kept=lambda x: x)) != signature(Net(kept=lambda x: -x))


def test_a_module_may_hold_itself_and_its_own_layers():
    nets = [Net(), Net()]
    for net in nets:
        vars(net).update(parts=[net.layer, net], weights=[net.layer.weight], method=net.forward)
    assert signature(nets[0]) == signature(nets[1])


def test_a_layer_in_two_places_is_told_from_two_layers():
    first, second, third = nn.Tanh(), nn.Tanh(), nn.Tanh()
    nets = [[first, second, first], [first, second, second], [first, second, third]]
    assert len({signature(nn.Sequential(*net)) for net in nets}) == 3


def test_what_cannot_be_compared_is_named():
    with pytest.raises(UnstackableError, match=r"1 \(Net\): its attribute 'kept' \(generator\) cannot be"):
        signature(nn.Sequential(nn.Tanh(), Net(kept=(each for each in "ab"))))
