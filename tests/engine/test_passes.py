"""Passes into kept memory give autograd's bits, and only nets that they suit get them."""

import copy

import pytest
import torch
from torch import nn

from dlx.engine import loop, passes, stacked
from dlx.engine.kept_memory import KeptMemory
from dlx.engine.passes import Autograd, Trial
from dlx.loss.losses import losses
from dlx.model.models import ACTIVATIONS, Dropout, models
from tests.engine.own_nets import images

NETS = {
    "linear": ("linear", {}),
    "deep": ("mlp", {"depth": 4, "width": 16}),
    "no bias": ("mlp", {"sizes": [8, 8], "bias": False}),
    "batch norm": ("mlp", {"sizes": [8, 8], "norm": "batch"}),
    "layer norm": ("mlp", {"sizes": [8, 8], "norm": "layer"}),
    "dropout": ("mlp", {"sizes": [8, 8], "dropout": 0.5}),
    **{name: ("mlp", {"sizes": [8, 8], "activation": name}) for name in ACTIVATIONS},
}
LOSSES = [
    ("cross_entropy", {"reduction": "mean", "label_smoothing": 0.0}),
    ("cross_entropy", {"reduction": "sum", "label_smoothing": 0.0}),
    ("cross_entropy", {"reduction": "mean", "label_smoothing": 0.1}),
    ("mean_squared_error", {"reduction": "sum"}),
    ("binary_cross_entropy", {"reduction": "mean"}),
]


def net(name):
    kind, arguments = NETS[name]
    return models.build(kind, arguments, input_shape=(5,), outputs=3)


def convolutional():
    """A convolution before, norms between and a softsign after linear layers, one of them frozen."""
    frozen = nn.Linear(8, 8).requires_grad_(requires_grad=False)
    return nn.Sequential(
        *(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 8), Dropout(0.3)),
        *(nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace=True)), frozen, nn.Linear(8, 3), nn.Softsign()),
    )


def train(runs):
    """Train the runs, alone or as a stack, and return all that they report and all that they have learnt."""
    if len(runs) == 1:
        ends = [{0: end} for end in loop.train(runs[0])]
    else:
        ends = list(stacked.train(runs, set(range(len(runs)))))
    tensors = [value.clone() for run in runs for value in run.model.state_dict().values()]
    tensors += [end[index].val_outputs_NK for end in ends for index in sorted(end)]
    rows = [(row.train_loss, row.train_accuracy, row.val_loss) for end in ends for row in (end[0].row,)]
    return rows, tensors


def assert_same_bits(monkeypatch, make):
    """Compare what runs compute with the passes that dlx chooses, into kept memory, and by autograd."""
    chosen = []

    def fastest(*arguments):
        chosen.append(type(passes.fastest_passes(*arguments)))
        return passes.fastest_passes(*arguments)

    monkeypatch.setattr(loop, "fastest_passes", fastest)
    monkeypatch.setattr(stacked, "fastest_passes", fastest)
    rows, tensors = train(make())
    for engine in (loop, stacked):
        monkeypatch.setattr(engine, "fastest_passes", lambda model, loss, *_: Autograd(model, loss))
    expected_rows, expected = train(make())
    assert chosen == [KeptMemory]
    assert rows == expected_rows
    assert rows[1] != rows[-1]
    assert all(map(torch.equal, tensors, expected))


@pytest.mark.parametrize("name", NETS)
def test_a_net_of_ours_learns_the_same_bits(monkeypatch, make_run, name):
    def make():
        torch.manual_seed(0)
        return [make_run(model=net(name))]

    assert_same_bits(monkeypatch, make)


@pytest.mark.parametrize("loss", LOSSES)
def test_any_loss_gives_the_same_bits(monkeypatch, make_run, loss):
    def make():
        return [make_run(loss=losses.build(*loss))]

    assert_same_bits(monkeypatch, make)


def test_a_users_sequential_learns_the_same_bits(monkeypatch, make_run):
    def make():
        torch.manual_seed(0)
        return [make_run(model=convolutional(), data=images())]

    assert_same_bits(monkeypatch, make)


@pytest.mark.parametrize("name", ["deep", "no bias", "batch norm", "dropout", "gelu"])
def test_a_stack_learns_the_same_bits(monkeypatch, make_run, name):
    def make():
        torch.manual_seed(0)
        summed = losses.build(*LOSSES[1])
        return [make_run(model=net(name)), make_run(model=net(name), loss=summed), make_run(model=net(name))]

    assert_same_bits(monkeypatch, make)


class Shuffled(nn.Module):
    """A layer whose forward draws from torch's global generator."""

    def forward(self, x):
        return x * torch.rand_like(x)


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


def hooked():
    model = nn.Sequential(nn.Linear(5, 3))
    model[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    return model


def repeated():
    layer = nn.Linear(5, 5)
    return nn.Sequential(layer, layer, nn.Linear(5, 3))


def tied():
    model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3))
    model[1].weight = model[0].weight
    return model


def of_rows():
    return nn.Sequential(nn.Unflatten(1, (5, 1)), nn.Linear(1, 2), nn.Flatten(), nn.Linear(10, 3))


def without_linear():
    return nn.Sequential(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 3, 5), nn.Flatten())


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Linear(5, 3), Shuffled()),
        lambda: Doubled(nn.Linear(5, 3)),
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 3))),
        *(hooked, repeated, tied, of_rows, without_linear),
    ],
)
def test_other_nets_go_through_autograd(make):
    torch.manual_seed(0)
    model, inputs, labels = make(), torch.randn(4, 5), torch.tensor([0, 1, 2, 0])
    loss = losses.build(*LOSSES[0])
    before = copy.deepcopy(model.state_dict())
    trial = Trial(model, loss, [(inputs, labels)])
    assert type(passes.fastest_passes(model, loss.gradient, trial)) is Autograd
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_pass_that_other_bits_come_from_is_not_chosen(monkeypatch):
    monkeypatch.setattr(torch, "addmm", lambda *a, out: torch.add(a[0], 1.001 * a[1] @ a[2], out=out))
    model, loss = nn.Sequential(nn.Linear(5, 3), nn.Softplus()), losses.build(*LOSSES[0])
    trial = Trial(model, loss, [(torch.randn(4, 5), torch.tensor([0, 1, 2, 0]))])
    assert type(passes.fastest_passes(model, loss.gradient, trial)) is Autograd


def test_a_layer_probe_sees_every_layer(make_run):
    run = make_run()
    assert type(loop._passes(run)) is KeptMemory
    probed = make_run(probes=type(run.probes)(layers=object()))
    assert type(loop._passes(probed)) is Autograd


def test_outputs_stay_as_they_were_when_the_next_batch_comes():
    model, loss = nn.Sequential(nn.Linear(5, 3)), losses.build(*LOSSES[0])
    kept, labels = KeptMemory(model, loss.gradient), torch.tensor([0, 1, 2, 0])
    first, _ = kept(torch.ones(4, 5), labels)
    copied = first.clone()
    kept(torch.zeros(4, 5), labels)
    assert torch.equal(first, copied)
