"""Each contestant trains what its recipe says; the limit multiplies what training multiplies."""

import importlib

import pytest
import torch

from tests.benchmarks.images import synthetic
from tests.benchmarks.limit import Products
from tests.benchmarks.limit import train as limit
from tests.benchmarks.nets import net
from tests.benchmarks.recipe import Recipe

IMAGES = synthetic(128, 64)
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
    ],
)
@pytest.mark.parametrize(
    ("module", "package"),
    [("notebook", "torch"), ("skorch_net", "skorch"), ("lightning_net", "lightning")],
)
def test_a_contestant_learns(module, package, recipe):
    trained = contestant(module, package)(recipe, IMAGES)
    assert trained.accuracy > 0.7
    assert trained.epochs > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("module", "package"),
    [("notebook", "torch"), ("skorch_net", "skorch"), ("lightning_net", "lightning")],
)
def test_a_contestant_without_a_learning_rate_stays_where_it_was(module, package):
    trained = contestant(module, package)(Recipe(lr=0.0, epochs=2), IMAGES)
    torch.manual_seed(0)
    outputs_NK = net(Recipe())(IMAGES.val_NHW.float() / 255)
    correct = (outputs_NK.argmax(1) == IMAGES.val_labels_N).float().mean()
    assert trained.accuracy == pytest.approx(float(correct), abs=1e-6)


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
