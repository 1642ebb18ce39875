"""A stacked model computes what its members compute alone, and trains them as they would alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.engine.stacked_model import StackedModel, UnstackableError, check_stackable, signature
from dlx.engine.stacked_optimizers import StackedOptimizers
from dlx.model.models import Dropout, models, use_generator

MEMBERS, BATCH, OUTPUTS = 3, 6, 4
MODELS = [
    ("linear", {}, (1, 6, 6)),
    ("mlp", {"sizes": [7, 5], "bias": False}, (5,)),
    ("mlp", {"sizes": [7, 5], "norm": "batch", "dropout": 0.4}, (1, 6, 6)),
    ("mlp", {"sizes": [7, 5], "norm": "layer", "activation": "gelu"}, (2, 3, 3)),
    ("lenet", {}, (1, 12, 12)),
    ("lenet", {"pool": "avg", "activation": "tanh"}, (2, 16, 14)),
    ("convnet", {"channels": [3, 2]}, (2, 7, 5)),
    ("cnn", {"channels": [3, 5], "dropout": 0.3}, (2, 8, 8)),
    ("cnn", {"channels": [3, 5], "norm": "none", "convolutions": 2}, (2, 8, 8)),
    ("resnet", {"blocks": 2, "width": 3}, (3, 8, 8)),
]
IDS = [f"{name} {' '.join(map(str, settings.values()))}" for name, settings, _ in MODELS]


def member(name, settings, shape, seed):
    """A float64 model with its own weights and, for batch norm, its own running statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = models.build(name, settings, input_shape=shape, outputs=OUTPUTS).double()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 2)
        return model


def batches(shape, step=0):
    draws = torch.Generator().manual_seed(step)
    x = torch.randn(MEMBERS, BATCH, *shape, generator=draws, dtype=torch.float64)
    return x, torch.randint(0, OUTPUTS, (MEMBERS, BATCH), generator=draws)


def generators(step):
    return [torch.Generator().manual_seed(100 * step + row) for row in range(MEMBERS)]


@pytest.mark.parametrize(("name", "settings", "shape"), MODELS, ids=IDS)
def test_outputs_in_training_and_evaluation_equal_the_members(name, settings, shape):
    alone = [member(name, settings, shape, seed) for seed in range(MEMBERS)]
    stack = StackedModel([member(name, settings, shape, seed) for seed in range(MEMBERS)])
    x, _ = batches(shape)
    for training in (True, False):
        stack.train(training)
        stack.use_generators(generators(0))
        out = stack(x)
        for row, (model, generator) in enumerate(zip(alone, generators(0), strict=True)):
            use_generator(model.train(training), generator)
            torch.testing.assert_close(out[row], model(x[row]), rtol=1e-12, atol=1e-12)
        assert not torch.allclose(out[0], out[1]), "members must differ"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings", "shape"), MODELS, ids=IDS)
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD])
def test_a_hundred_steps_leave_the_members_as_they_would_be_alone(name, settings, shape, optimizer):
    steps = 20 if name == "resnet" else 100
    alone = [member(name, settings, shape, seed) for seed in range(MEMBERS)]
    members = [member(name, settings, shape, seed) for seed in range(MEMBERS)]
    stack = StackedModel(members)
    rates = [1e-3, 3e-3, 1e-2]
    own, stacked = (
        [optimizer(model.parameters(), lr=lr, fused=True) for model, lr in zip(group, rates, strict=True)]
        for group in (alone, members)
    )
    together = StackedOptimizers(stack, [[each] for each in stacked], [None] * MEMBERS)
    for step in range(steps):
        x, labels = batches(shape, step)
        stack.use_generators(generators(step))
        losses = F.cross_entropy(stack(x).flatten(0, 1), labels.flatten(), reduction="none")
        losses.view(MEMBERS, BATCH).mean(1).sum().backward()
        together.take_gradients()
        together.step()
        for row, generator in enumerate(generators(step)):
            use_generator(alone[row], generator)
            F.cross_entropy(alone[row](x[row]), labels[row]).backward()
            own[row].step()
            own[row].zero_grad()
    for model, other in zip(alone, members, strict=True):
        for (key, value), stored in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
            torch.testing.assert_close(stored, value, rtol=1e-6, atol=1e-6, msg=lambda m, k=key: f"{k}: {m}")


def test_members_with_different_dropout_probabilities_draw_different_masks():
    def net(p):
        return nn.Sequential(Dropout(p), nn.Flatten())

    stack = StackedModel([net(0.0), net(0.5), net(0.9)])
    stack.use_generators(generators(0))
    kept = (stack(torch.ones(3, 10, 100)) != 0).double().mean((1, 2))
    assert kept[0] == 1
    assert kept[1].item() == pytest.approx(0.5, abs=0.06)  # four standard deviations of 1000 draws
    assert kept[2].item() == pytest.approx(0.1, abs=0.04)


def test_a_member_that_has_diverged_does_not_affect_its_neighbours():
    models_of = [member("mlp", {"sizes": [7], "norm": "batch"}, (5,), seed) for seed in range(MEMBERS)]
    alone = member("mlp", {"sizes": [7], "norm": "batch"}, (5,), 1)
    with torch.no_grad():
        models_of[0].output.weight.fill_(float("nan"))
    stack = StackedModel(models_of)
    x, labels = batches((5,))
    losses = F.cross_entropy(stack(x).flatten(0, 1), labels.flatten(), reduction="none")
    losses.view(MEMBERS, BATCH).mean(1).sum().backward()
    F.cross_entropy(alone(x[1]), labels[1]).backward()
    assert not stack.body.output.weight.grad[0].isfinite().any()
    torch.testing.assert_close(stack.body.linear1.weight.grad[1], alone.linear1.weight.grad)


def test_the_stack_sees_changes_to_the_members_parameters():
    members = [member("linear", {}, (5,), seed) for seed in range(MEMBERS)]
    stack = StackedModel(members)
    x, _ = batches((5,))
    before = stack(x)
    with torch.no_grad():
        members[1].output.bias.add_(1)
    torch.testing.assert_close(stack(x)[1], before[1] + 1)
    torch.testing.assert_close(stack(x)[0], before[0])


class Own(nn.Module):
    def forward(self, x):
        return x


def hooked():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_forward_hook(lambda *_: None)
    return model


def tied():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    return nn.Sequential(first, second)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(nn.Linear(2, 2), Own()), r"1 \(Own\) has no stacked version"),
        (nn.Sequential(nn.Dropout(0.5)), r"0 \(Dropout\) has no stacked version"),
        (Own(), r"the model \(Own\) has no stacked version"),
        (hooked(), r"0 \(Linear\) has hooks"),
        (tied(), "two of the model's layers share a parameter"),
    ],
)
def test_a_module_that_cannot_be_stacked_is_named(model, said):
    with pytest.raises(UnstackableError, match=said):
        check_stackable(model)


def test_signatures_differ_between_structures_but_not_between_seeds_or_dropout():
    def of(**settings):
        return signature(member("mlp", settings, (5,), 0))

    assert signature(member("mlp", {}, (5,), 0)) == signature(member("mlp", {}, (5,), 1))
    assert of(dropout=0.1) == of(dropout=0.2)
    others = [of(width=64), of(norm="batch"), of(activation="tanh"), of(bias=False), of(depth=1)]
    assert len({of(), *others}) == 6
    slow = nn.Sequential(nn.BatchNorm1d(3, momentum=0.01))
    assert signature(slow) != signature(nn.Sequential(nn.BatchNorm1d(3)))
