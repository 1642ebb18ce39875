"""Which models count as one kind: attributes by their values; passes tried once for each kind."""

import collections
import functools
import types
import weakref

import pytest
import torch
from torch import nn

from dlx.engine import passes
from dlx.engine.kept_memory import KeptMemory
from dlx.engine.passes import Autograd, Trial, fastest_passes
from dlx.engine.signature import signature
from dlx.engine.stacked_by_layers import _only_composes, why_not_layers
from dlx.loss.losses import losses
from dlx.model.models import Dropout


class Net(nn.Module):
    def __init__(self, kept=None):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.kept = kept

    def forward(self, x):
        return self.layer(x)


class Holder:
    def __init__(self, value):
        self.value = value

    def method(self):
        return self.value

    def other(self):
        return self.value


class Named:
    """Pickled by its name alone."""

    def __init__(self, name):
        self._name = name

    def __reduce_ex__(self, protocol):
        return self._name


def with_default(value):
    def function(x=value):
        return x

    return function


def with_keyword(value):
    def function(*, x=value):
        return x

    return function


def calls(name):
    namespace = {}
    exec(f"def function(x): return x.{name}()", namespace)
    return namespace["function"]


HELD = [Holder(1), Holder(1), Holder(2)]


@pytest.mark.parametrize(
    ("value", "same", "other"),
    [
        (frozenset({1, 2}), frozenset({2, 1}), frozenset({1, 3})),
        ((1, 2), (1, 2), [1, 2]),
        ([1, 2], [1, 2], [2, 1]),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1, "b": 3}),
        ({"a": 1}, {"a": 1}, {"b": 1}),
        (True, True, 1),
        (None, None, False),
        (1, 1, 1.0),
        (b"a", b"a", "a"),
        (torch.float32, torch.float32, torch.float64),
        (nn.Linear, nn.Linear, nn.Conv2d),
        (len, len, max),
        (torch, torch, nn),
        (torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2, dtype=torch.int32), torch.zeros(2, dtype=torch.int32), torch.zeros(2)),
        (HELD[0], HELD[1], HELD[2]),
        (HELD[0].method, HELD[1].method, HELD[2].method),
        (HELD[0].method, HELD[1].method, HELD[1].other),
        (weakref.ref(HELD[0]), weakref.ref(HELD[1]), weakref.ref(HELD[2])),
        (functools.partial(max, key=len), functools.partial(max, key=len), functools.partial(min, key=len)),
        (functools.partial(max, key=len), functools.partial(max, key=len), functools.partial(max, key=abs)),
        (with_default(1), with_default(1), with_default(2)),
        (with_keyword(1), with_keyword(1), with_keyword(2)),
        (calls("sin"), calls("sin"), calls("cos")),
        (collections.deque([1, 2]), collections.deque([1, 2]), collections.deque([1, 3])),
        (collections.OrderedDict(a=1), collections.OrderedDict(a=1), collections.OrderedDict(a=2)),
        (types.SimpleNamespace(a=1), types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
        (Named("one"), Named("one"), Named("two")),
    ],
)
def test_values_of_any_type_are_compared(value, same, other):
    assert signature(Net(value)) == signature(Net(same))
    assert signature(Net(value)) != signature(Net(other))


def test_modes_and_dropout_do_not_count_but_hooks_do():
    net, hooked, other = Net(), Net(), Net()
    assert signature(net.eval()) == signature(Net())
    hooked.register_forward_hook(print)
    other.register_forward_hook(repr)
    assert len({signature(each) for each in (net, hooked, other)}) == 3
    again = Net()
    again.register_forward_hook(repr).remove()
    again.register_forward_hook(print)  # by another number
    assert signature(again) == signature(hooked)


def test_a_value_that_stands_in_two_places_is_described_twice():
    value = [1]
    assert signature(Net([value, value])) == signature(Net([[1], [1]]))


def test_buffers_count_by_shape_and_not_by_value():
    def net(buffer, name="b"):
        made = Net()
        made.register_buffer(name, buffer)
        return signature(made)

    assert net(torch.zeros(2)) == net(torch.ones(2))
    assert (
        len({net(torch.zeros(2)), net(torch.zeros(3)), net(torch.zeros(2), "c"), net(torch.zeros(2).int())})
        == 4
    )


def trial(model, *sizes, reduction="mean"):
    loss = losses.build("cross_entropy", {"reduction": reduction, "label_smoothing": 0.0})
    draws = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(size, 5, generator=draws), torch.randint(3, (size,), generator=draws)) for size in sizes
    ]
    return loss, Trial(model, loss, batches)


@pytest.fixture
def tried(monkeypatch):
    """The kinds of passes that are tried, with the numbers of batches."""
    noted, really = [], passes._try

    def note(kind, given):
        noted.append((kind, len(given.batches)))
        return really(kind, given)

    monkeypatch.setattr(passes, "_same_bits", {})
    monkeypatch.setattr(passes, "_try", note)
    return noted


def net(*more, features=3):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, features), *more)


def test_passes_are_tried_once_for_each_kind_of_net_loss_and_batch(tried):
    both = [(Autograd, 2), (KeptMemory, 2)]
    for expected, model, sizes, reduction in (
        (both, net(), (4, 2), "mean"),
        ([], net(), (4, 2), "mean"),
        (both, net(), (4, 3), "mean"),
        (both, net(), (4, 2), "sum"),
        (both, net(nn.Tanh()), (4, 2), "mean"),
        (both, net(features=4), (4, 2), "mean"),
        (both, type("Own", (nn.Sequential,), {})(nn.Linear(5, 3)), (4, 2), "mean"),
    ):
        tried.clear()
        loss, given = trial(model, *sizes, reduction=reduction)
        assert type(fastest_passes(model, loss.gradient, given)) is KeptMemory
        assert tried == expected


def test_a_net_that_fails_is_left_to_autograd(tried, monkeypatch):
    def fails(kind, given):
        raise RuntimeError("not today")

    monkeypatch.setattr(passes, "_try", fails)
    model = net()
    loss, given = trial(model, 4)
    for _ in range(2):
        assert type(fastest_passes(model, loss.gradient, given)) is Autograd


@pytest.mark.parametrize("of", ["outputs", "losses", "gradients", "buffers", "second batch"])
def test_any_number_that_differs_decides_for_autograd(tried, monkeypatch, of):
    model = net(nn.BatchNorm1d(3))
    loss, given = trial(model, 4, 2)
    call = KeptMemory.__call__

    def off(self, inputs, labels):
        outputs, of_samples = call(self, inputs, labels)
        layers = [part._layer for part in self._parts if hasattr(part, "_layer")]
        if of == "outputs":
            outputs = outputs * 1.001
        elif of == "losses":
            of_samples = of_samples * 1.001
        elif of == "gradients":
            layers[0].weight.grad.mul_(1.001)
        elif of == "buffers":
            layers[0].running_var.mul_(1.001)
        elif len(inputs) == 2:
            outputs = outputs * 1.001
        return outputs, of_samples

    monkeypatch.setattr(KeptMemory, "__call__", off)
    assert type(fastest_passes(model, loss.gradient, given)) is Autograd


def test_a_trial_runs_in_training_mode_on_a_copy(tried):
    model = net(Dropout(0.5)).eval()
    model[1].generator = torch.Generator().manual_seed(0)
    _, given = trial(model, 64)
    before = given.batches[0][0].clone()
    outputs, *_ = passes._try(Autograd, given)
    assert bool((outputs == 0).any())
    assert not model.training
    assert torch.equal(given.batches[0][0], before)
    assert model[0].weight.grad is None


class Reversed(nn.Sequential):
    def forward(self, x):
        for layer in reversed(self):
            x = layer(x)
        return x


class Called(nn.Sequential):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Described(nn.Sequential):
    extra = 3

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(36, 3))

    def extra_repr(self):
        return "mine"

    def helper(self):
        return 1


@pytest.mark.parametrize(
    ("model", "composes"),
    [
        (nn.Sequential(nn.Tanh()), True),
        (Described(), True),
        (type("Deeper", (Described,), {})(), True),
        (Reversed(nn.Tanh()), False),
        (type("Below", (Reversed,), {})(nn.Tanh()), False),
        (Called(nn.Tanh()), False),
        (nn.Linear(2, 2), False),
    ],
)
def test_a_sequential_that_calls_its_layers_in_order_only_composes(model, composes):
    assert _only_composes(model) is composes


def test_the_shape_of_samples_decides_where_layers_can_stand():
    flat, image = nn.Sequential(nn.Linear(5, 3)), nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    assert why_not_layers(flat, (5,)) == why_not_layers(image, (1, 6, 6)) == ""
    assert why_not_layers(flat, (2, 5)) == "samples of 2 axes are neither flat nor images"
    assert why_not_layers(flat, (2, 5, 5, 5)) == "samples of 4 axes are neither flat nor images"
    assert why_not_layers(flat, (1, 5, 5)) == "0 (Linear) is given images"
    assert why_not_layers(image, (5,)) == "0 (Conv2d) is given flat data"
    assert why_not_layers(nn.Sequential(*image, nn.Linear(32, 3)), (1, 6, 6)) == ""
    assert (
        why_not_layers(nn.Sequential(*image, nn.Conv2d(2, 2, 3)), (1, 6, 6))
        == "2 (Conv2d) is given flat data"
    )
    deep = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Tanh(), nn.GLU()))
    assert why_not_layers(deep, (5,)) == "1.1 (GLU) has no stacked version"
    assert why_not_layers(nn.GLU(), (5,)) == "the model (GLU) has no stacked version"
