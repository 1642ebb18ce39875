from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.model.layers import ACTIVATIONS, Activation, Dropout, feature_norm, use_generator


@pytest.mark.parametrize("name", get_args(Activation))
def test_an_activation_is_the_function_of_its_name(name: Activation) -> None:
    x = torch.linspace(-3, 3, 25)
    expected = x if name == "none" else getattr(F, name, getattr(torch, name, None))(x)
    torch.testing.assert_close(ACTIVATIONS[name]()(x), expected)


def test_feature_norm_is_the_layer_of_its_name() -> None:
    x = torch.randn(8, 5) * 3 + 1
    batch, layer = feature_norm("batch", 5)["norm"], feature_norm("layer", 5)["norm"]
    torch.testing.assert_close(batch(x), F.batch_norm(x, None, None, training=True))
    torch.testing.assert_close(layer(x), F.layer_norm(x, (5,)))
    assert feature_norm("none", 5) == {}


def dropout(p: float, seed: int = 0) -> Dropout:
    layer = Dropout(p)
    use_generator(layer, torch.Generator().manual_seed(seed))
    return layer


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_dropout_zeroes_a_share_p_and_scales_the_rest_so_that_the_mean_stays(p: float) -> None:
    out = dropout(p)(torch.ones(200, 500))
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=0.01)
    torch.testing.assert_close(out[out != 0], torch.tensor(1 / (1 - p)).expand((out != 0).sum()))
    assert out.mean().item() == pytest.approx(1, abs=0.02)


def test_dropout_follows_its_generator_from_step_to_step() -> None:
    x = torch.ones(4, 50)
    layer = dropout(0.5)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    again = dropout(0.5)
    assert torch.equal(again(x), first)
    assert torch.equal(again(x), second)
    assert torch.equal(first, x * layer.mask(x.shape, torch.Generator().manual_seed(0)))


def test_dropout_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    dropout(0.5)(torch.ones(3, 3))
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_passes_the_input_in_evaluation_and_at_zero_without_a_draw() -> None:
    x = torch.randn(4, 5)
    assert dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_dropout_without_a_generator_refuses_to_train() -> None:
    with pytest.raises(RuntimeError, match="use_generator"):
        Dropout(0.5)(torch.ones(2))


def test_dropout_gives_the_same_mask_in_float64_with_the_exact_scale() -> None:
    x = torch.ones(4, 50)
    single, double = dropout(0.5)(x), dropout(0.5)(x.double())
    assert double.dtype == torch.float64
    assert torch.equal(single.double(), double)


def test_the_gradient_is_dropped_with_the_value() -> None:
    x = torch.ones(4, 50, requires_grad=True)
    out = dropout(0.5)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_one_generator_serves_every_dropout_of_a_model() -> None:
    model = nn.Sequential(Dropout(0.5), nn.Sequential(Dropout(0.5)))
    use_generator(model, torch.Generator().manual_seed(0))
    x = torch.ones(40, 50)
    share = (model(x) == 0).float().mean().item()
    assert share == pytest.approx(0.75, abs=0.04)  # equal masks would leave half
    use_generator(model, None)
    with pytest.raises(RuntimeError):
        model(x)
