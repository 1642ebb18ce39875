"""A stack of layers computes what its members compute alone, and trains them as they would alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.engine.stacked_by_layers import LayerStack, why_not_layers
from dlx.engine.stacked_optimizers import StackedOptimizers
from dlx.model.models import Dropout, draw_from_generators, models, use_generator

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
    assert why_not_layers(alone[0], shape) == ""
    stack = LayerStack([member(name, settings, shape, seed) for seed in range(MEMBERS)])
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
    stack = LayerStack(members)
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

    stack = LayerStack([net(0.0), net(0.5), net(0.9)])
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
    stack = LayerStack(models_of)
    x, labels = batches((5,))
    losses = F.cross_entropy(stack(x).flatten(0, 1), labels.flatten(), reduction="none")
    losses.view(MEMBERS, BATCH).mean(1).sum().backward()
    F.cross_entropy(alone(x[1]), labels[1]).backward()
    assert not stack.body.output.weight.grad[0].isfinite().any()
    torch.testing.assert_close(stack.body.linear1.weight.grad[1], alone.linear1.weight.grad)


def test_the_stack_sees_changes_to_the_members_parameters():
    members = [member("linear", {}, (5,), seed) for seed in range(MEMBERS)]
    stack = LayerStack(members)
    x, _ = batches((5,))
    before = stack(x)
    with torch.no_grad():
        members[1].output.bias.add_(1)
    torch.testing.assert_close(stack(x)[1], before[1] + 1)
    torch.testing.assert_close(stack(x)[0], before[0])


FLAT, IMAGE = (5,), (2, 8, 8)


def conv(*after, width=4, **settings):
    return nn.Sequential(nn.Conv2d(2, width, 3, **settings), *after, nn.Flatten(), nn.LazyLinear(OUTPUTS))


# Nets as users write them: every one of these layers has a stacked version.
NETS = {
    "group norm, depthwise": lambda: conv(
        nn.GroupNorm(2, 4), nn.SiLU(inplace=True), nn.Conv2d(4, 4, 3, groups=4)
    ),
    "dilation, channels dropped": lambda: conv(nn.Dropout2d(0.4), nn.ELU(), dilation=2, stride=2),
    "resized, padded, pooled": lambda: conv(
        nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1), nn.AdaptiveMaxPool2d(3)
    ),
    "norms without weights": lambda: conv(nn.BatchNorm2d(4, affine=False), nn.GroupNorm(1, 4, affine=False)),
    "in place at the front": lambda: nn.Sequential(nn.ReLU(inplace=True), *conv(nn.ReLU6(inplace=True))),
}


def user_net(name, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = NETS[name]()
        net(torch.randn(2, *IMAGE))  # gives the lazy layer its size
        draw_from_generators(net)
        return net.double()


@pytest.mark.parametrize("name", NETS)
def test_users_layers_compute_in_a_stack_what_they_compute_alone(name):
    alone = [user_net(name, seed) for seed in range(MEMBERS)]
    assert why_not_layers(alone[0], IMAGE) == ""
    stack = LayerStack([user_net(name, seed) for seed in range(MEMBERS)])
    x, _ = batches(IMAGE)
    for training in (True, False):
        stack.train(training)
        stack.use_generators(generators(0))
        out = stack(x if training else x[0].expand_as(x))
        out.square().sum().backward()
        for row, (model, generator) in enumerate(zip(alone, generators(0), strict=True)):
            use_generator(model.train(training), generator)
            own = model(x[row if training else 0].clone())
            torch.testing.assert_close(out[row], own, rtol=1e-12, atol=1e-12)
            own.square().sum().backward()
        for row, model in enumerate(alone):
            for (whole, _), parameter in zip(stack.shares, model.parameters(), strict=True):
                torch.testing.assert_close(whole.grad[row], parameter.grad, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(out[0], out[1]), "members must differ"


class Own(nn.Module):
    def forward(self, x):
        return x


class Scaled(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(5, 2))
        self.scale = nn.Parameter(torch.ones(()))


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


class Frozen(nn.Sequential):
    def train(self, mode=True):
        return super().train(False)


class Named(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(5, 2))
        self.note = "a subclass that only builds"


def hooked():
    model = nn.Sequential(nn.Linear(5, 2))
    model[0].register_forward_hook(lambda *_: None)
    return model


def tied():
    first, second = nn.Linear(5, 5), nn.Linear(5, 5)
    second.weight = first.weight
    return nn.Sequential(first, second)


def twice():
    norm = nn.BatchNorm1d(5, affine=False)
    return nn.Sequential(norm, nn.Linear(5, 5), norm)


def patched():
    model = nn.Sequential(nn.Linear(5, 2))
    model[0].forward = lambda x: x
    return model


@pytest.mark.parametrize(
    ("model", "shape", "said"),
    [
        (nn.Sequential(nn.Linear(5, 2), Own()), FLAT, "1 (Own) has no stacked version"),
        (nn.Sequential(nn.Dropout(0.5)), FLAT, "0 (Dropout) has no stacked version"),
        (Own(), FLAT, "the model (Own) has no stacked version"),
        (Scaled(), FLAT, "the model (Scaled) has a parameter or buffer of its own"),
        (Doubled(), FLAT, "the model (Doubled) has no stacked version"),
        (Frozen(), FLAT, "the model (Frozen) has no stacked version"),
        (hooked(), FLAT, "0 (Linear) has hooks"),
        (patched(), FLAT, "0 (Linear) has a forward method of its own"),
        (tied(), FLAT, "two of the layers share a parameter"),
        (twice(), FLAT, "2 (BatchNorm1d) is used twice"),
        (
            nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 2))),
            FLAT,
            "0 (ParametrizedLinear) has no stacked version",
        ),
        (nn.Sequential(Dropout(0.5).requires_grad_(False)), (3, 4), "samples of 2 axes"),
        (nn.Sequential(nn.Linear(8, 2)), IMAGE, "0 (Linear) is given images"),
        (nn.Sequential(nn.LayerNorm(8)), IMAGE, "0 (LayerNorm) is given images"),
        (nn.Sequential(nn.LayerNorm([2, 8, 8])), IMAGE, "0 (LayerNorm) is given images"),
        (nn.Sequential(nn.Flatten(2), nn.BatchNorm1d(2)), IMAGE, "0 (Flatten) has start_dim=2, end_dim=-1"),
        (nn.Sequential(nn.Flatten(1, 2)), IMAGE, "0 (Flatten) has start_dim=1, end_dim=2"),
        (nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False)), IMAGE, "track_running_stats=False"),
        (nn.Sequential(nn.BatchNorm2d(2, momentum=None)), IMAGE, "0 (BatchNorm2d) has momentum=None"),
        *(
            (nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, padding_mode=mode)), IMAGE, f"padding_mode={mode}")
            for mode in ("circular", "reflect", "replicate")
        ),
    ],
)
def test_a_module_that_a_stack_of_layers_would_compute_otherwise_is_named(model, shape, said):
    assert said in why_not_layers(model, shape)


def test_a_subclass_of_sequential_that_only_builds_its_layers_is_stacked():
    assert why_not_layers(Named(), FLAT) == ""
