"""Each contestant trains what its recipe says; the limit multiplies what training multiplies."""

import importlib
from dataclasses import replace
from itertools import product

import pytest
import torch

from tests.benchmarks import functional, plain
from tests.benchmarks.images import synthetic
from tests.benchmarks.limit import Products
from tests.benchmarks.limit import train as limit
from tests.benchmarks.nets import net
from tests.benchmarks.recipe import Recipe

IMAGES = synthetic(128, 64)
LOOPS = [("notebook", "torch"), ("plain", "torch"), ("skorch_net", "skorch"), ("lightning_net", "lightning")]
PLAIN = Recipe(hidden=(32, 16), lr=0.01, epochs=12)


def contestant(module, package):
    pytest.importorskip(package)
    return importlib.import_module(f"tests.benchmarks.{module}").train


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the peers' own affairs
@pytest.mark.parametrize(
    "recipe",
    [
        PLAIN,
        Recipe(hidden=(32, 16), optimizer="sgd", lr=0.1, epochs=4, norm="batch", batch_size=16),
        Recipe(hidden=(32, 16), lr=0.01, epochs=12, noise=0.1, shift=1, flip=True),
        Recipe(net="cnn", hidden=(4, 8), norm="batch", lr=0.02, epochs=4),
        Recipe(net="own", hidden=(16,), lr=0.01, epochs=4),
    ],
)
@pytest.mark.parametrize(
    ("module", "package"),
    LOOPS,
)
def test_a_contestant_learns(module, package, recipe):
    trained = contestant(module, package)(recipe, IMAGES)
    assert trained.accuracy > 0.7
    assert trained.epochs > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("module", "package"),
    LOOPS,
)
def test_a_contestant_without_a_learning_rate_stays_where_it_was(module, package):
    trained = contestant(module, package)(Recipe(lr=0.0, epochs=2), IMAGES)
    torch.manual_seed(0)
    outputs_NK = net(Recipe())(IMAGES.val_NHW.float() / 255)
    correct = (outputs_NK.argmax(1) == IMAGES.val_labels_N).float().mean()
    assert trained.accuracy == pytest.approx(float(correct), abs=1e-6)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(hidden=(32, 16), lr=0.01, epochs=4, batch_size=128),
        Recipe(hidden=(32, 16), optimizer="sgd", lr=0.1, epochs=4, batch_size=128),
        Recipe(net="own", hidden=(16,), lr=0.01, epochs=2, batch_size=128),
        Recipe(net="cnn", hidden=(2, 4), norm="batch", lr=0.02, epochs=2, batch_size=128),
    ],
)
def test_an_ensembles_members_are_the_plain_loops_runs(recipe):
    # A batch is the whole split, so that the order of the samples does not matter.
    alone = [plain.train(replace(recipe, seed=seed), IMAGES).accuracy for seed in (5, 6, 7)]
    together = functional.train(replace(recipe, seed=5, members=3), IMAGES)
    assert together.accuracy == pytest.approx(sum(alone) / 3, abs=0.01)
    assert len(set(alone)) > 1


def test_members_see_the_samples_in_orders_of_their_own():
    recipe = Recipe(hidden=(32, 16), lr=0.01, epochs=12, members=3)
    assert functional.train(recipe, IMAGES).accuracy > 0.7


def test_a_batch_is_augmented_image_by_image():
    torch.manual_seed(0)
    inputs_BCHW = torch.randn(300, 1, 5, 5)
    changed = plain.augment_batch(inputs_BCHW, Recipe(shift=1, flip=True))
    ways = set()
    for before, after in zip(inputs_BCHW, changed, strict=True):
        every = {
            (down, right, flip): torch.roll(before.flip(-1) if flip else before, (down, right), (1, 2))
            for down, right, flip in product((-1, 0, 1), (-1, 0, 1), (False, True))
        }
        found = [way for way, image in every.items() if image.equal(after)]
        assert len(found) == 1
        ways.add(found[0])
    assert len(ways) == 18
    noise = plain.augment_batch(inputs_BCHW, Recipe(noise=0.1)) - inputs_BCHW
    assert float(noise.std()) == pytest.approx(0.1, rel=0.05)


def test_the_products_are_those_of_a_linear_net_and_its_gradients():
    draws = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=draws) for shape in ((8, 12), (6, 8), (4, 6))]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    products = Products(weights, batch_size=5)
    inputs_BI = torch.randn(3, 12, generator=draws)  # the smaller last batch
    delta_BO = torch.randn(3, 4, generator=draws)
    products.deltas_BO[-1][:3] = delta_BO

    products.forward(inputs_BI)
    products.backward(inputs_BI)

    reference = [weight.clone().requires_grad_() for weight in weights]
    outputs_BO = inputs_BI
    for weight in reference:
        outputs_BO = outputs_BO @ weight.T
    outputs_BO.backward(delta_BO)
    torch.testing.assert_close(products.outputs_BO[-1][:3], outputs_BO.detach())
    for weight, expected in zip(weights, reference, strict=True):
        torch.testing.assert_close(weight.grad, expected.grad)


def test_the_limit_takes_a_step_for_every_batch(monkeypatch):
    steps = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: steps.append(self.defaults) or step(self))
    limit(Recipe(hidden=(8,), batch_size=50, epochs=2), IMAGES)
    assert len(steps) == 2 * 3  # 128 images in batches of 50
    assert all(defaults["fused"] for defaults in steps)
