"""A stack of which a single run is left goes on with it as that run would go on alone."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from dlx.engine import loop, stacked
from dlx.engine.run import Seeds
from dlx.engine.stack_check import check_stack
from dlx.engine.stacked_by_layers import LayerStack
from dlx.engine.stacked_by_vmap import VmapStack
from dlx.engine.stacked_layers import BatchedLinear
from dlx.model.models import models, use_generator
from tests.engine.conftest import make_run
from tests.engine.own_nets import STACKED, built, images
from tests.engine.test_stacked_cohorts import COHORTS, close

OURS = {
    "cnn": {"channels": [3, 5], "dropout": 0.3},
    "lenet": {},
    "mlp": {"sizes": [7, 5], "norm": "batch", "dropout": 0.4},
    "resnet": {"blocks": 1, "width": 3},
}


def assert_goes_on_alone(alone, together, *, leave_after):
    """Train a run by itself, and as the last of a stack that the others leave after an epoch."""
    last = len(together) - 1
    expected = list(loop.train(alone[last]))
    active = {last} if leave_after is None else set(range(len(together)))
    for epoch, ends in enumerate(stacked.train(together, active)):
        own, mine = expected[epoch], ends[last]
        for name in ("epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            assert getattr(mine.row, name) == close(getattr(own.row, name)), (epoch, name)
        assert mine.extra == {key: close(value) for key, value in own.extra.items()}
        if epoch == leave_after:
            active.intersection_update({last})
    assert epoch == 3
    for key, value in alone[last].model.state_dict().items():
        torch.testing.assert_close(together[last].model.state_dict()[key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cohort", COHORTS, ids=lambda cohort: cohort.__name__)
def test_the_last_run_of_a_cohort_goes_on(cohort):
    assert_goes_on_alone(cohort(), cohort(), leave_after=1)


def in_float64(data, times=1):
    """Rounding in float32 moves biases that have no gradient, and Adam makes that a step of full length."""
    names = ("train", "val", "test")
    splits = [replace(s, inputs=s.inputs.double().repeat(1, 1, times, times)) for s in data.splits]
    return replace(data, **dict(zip(names, splits, strict=True)))


def own_net(name):
    data = in_float64(images())
    return [
        make_run(data=data, model=built(STACKED[name], seed).double(), seeds=Seeds(seed, seed, seed))
        for seed in range(2)
    ]


@pytest.mark.parametrize(
    "name", ["dropout of values and channels", "group, batch and layer norm", "attention"]
)
def test_a_users_net_is_a_stack_of_one(name):
    assert_goes_on_alone(own_net(name), own_net(name), leave_after=None)


def our_net(name):
    runs, data = [], in_float64(images(), 2)
    for seed in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = models.build(name, OURS[name], input_shape=(1, 12, 12), outputs=3).double()
        runs.append(make_run(data=data, model=model, seeds=Seeds(seed, seed, seed)))
    return runs


@pytest.mark.parametrize("name", OURS)
def test_a_net_of_ours_is_a_stack_of_one(name):
    assert_goes_on_alone(our_net(name), our_net(name), leave_after=0)


@pytest.mark.parametrize("kind", [LayerStack, VmapStack])
@pytest.mark.parametrize("members", [1, 3])
def test_a_stack_gives_each_member_its_outputs_and_gradients(kind, members):
    def build(seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return models.build("mlp", {"sizes": [7], "dropout": 0.4}, input_shape=(5,), outputs=3).double()

    alone = [build(seed) for seed in range(members)]
    stack = kind([build(seed) for seed in range(members)])
    stack.use_generators([torch.Generator().manual_seed(row) for row in range(members)])
    shared = torch.randn(6, 5, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    for x in (shared.expand(members, 6, 5), torch.stack([shared + row for row in range(members)])):
        stack.use_generators([torch.Generator().manual_seed(row) for row in range(members)])
        out = stack(x)
        out.square().sum().backward()
        for row, model in enumerate(alone):
            use_generator(model, torch.Generator().manual_seed(row))
            expected = model(x[row])
            model.zero_grad()
            expected.square().sum().backward()
            torch.testing.assert_close(out[row], expected)
            for (whole, _), parameter in zip(stack.shares, model.parameters(), strict=True):
                torch.testing.assert_close(whole.grad[row], parameter.grad)
        for whole, _ in stack.shares:
            whole.grad = None


def test_a_stack_of_ours_and_of_a_users_net_are_told_apart():
    assert check_stack(own_net("attention")[0]).reason == ""
    assert isinstance(stacked.stack_models([run.model for run in our_net("mlp")], (1, 12, 12)), LayerStack)
    assert isinstance(stacked.stack_models([run.model for run in own_net("attention")], (1, 6, 6)), VmapStack)


@pytest.mark.parametrize("needed", [each for each in product([True, False], repeat=3) if any(each)])
def test_a_batched_product_has_the_gradients_that_are_needed(needed):
    """As where a layer is frozen, or the first."""

    def tensors():
        draws = torch.Generator().manual_seed(0)
        shapes = ((2, 4, 3), (2, 5, 3), (2, 5))
        made = [torch.randn(shape, generator=draws, dtype=torch.float64) for shape in shapes]
        return [tensor.requires_grad_(of_it) for tensor, of_it in zip(made, needed, strict=True)]

    mine, (x_RBF, weight_RKF, bias_RK) = tensors(), tensors()
    out = BatchedLinear.apply(*mine)
    expected = torch.einsum("rbf,rkf->rbk", x_RBF, weight_RKF) + bias_RK[:, None]
    torch.testing.assert_close(out, expected)
    out.sin().sum().backward()
    expected.sin().sum().backward()
    for one, other in zip(mine, (x_RBF, weight_RKF, bias_RK), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
