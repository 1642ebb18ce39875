import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.errors import RequestError
from dlx.model.mlp import MLP, LinearModel, tapered
from dlx.model.models import models, use_generator


def test_width_128_is_the_published_net_of_109386_parameters() -> None:
    net = MLP((1, 28, 28), 10, width=128, depth=2)
    assert [tuple(p.shape) for p in net.parameters()] == [
        (128, 784),
        (128,),
        (64, 128),
        (64,),
        (10, 64),
        (10,),
    ]
    assert sum(p.numel() for p in net.parameters()) == 109386


@pytest.mark.parametrize(
    ("width", "depth", "taper", "expected"),
    [
        (128, 2, 0.5, [128, 64]),
        (100, 5, 1.0, [100] * 5),
        (15, 3, 0.5, [15, 7, 3]),
        (2, 4, 0.5, [2, 1, 1, 1]),
        (64, 1, 0.5, [64]),
        (64, 0, 0.5, []),
    ],
)
def test_each_further_hidden_layer_is_taper_times_the_previous(
    width: int, depth: int, taper: float, expected: list[int]
) -> None:
    assert tapered(width, depth, taper) == expected


def test_sizes_override_width_and_depth() -> None:
    net = MLP((784,), 10, width=5, depth=1, sizes=[32, 16, 8])
    assert [layer.out_features for layer in net if isinstance(layer, nn.Linear)] == [32, 16, 8, 10]
    assert len([layer for layer in MLP((784,), 10, sizes=[]) if isinstance(layer, nn.Linear)]) == 1


def test_the_output_is_that_of_the_layers_written_out() -> None:
    net = MLP((3, 2, 2), 4, sizes=[6, 5], activation="tanh").eval()
    w = net.state_dict()
    x = torch.randn(7, 3, 2, 2)
    hidden = torch.tanh(F.linear(x.reshape(7, 12), w["linear1.weight"], w["linear1.bias"]))
    hidden = torch.tanh(F.linear(hidden, w["linear2.weight"], w["linear2.bias"]))
    torch.testing.assert_close(net(x), F.linear(hidden, w["output.weight"], w["output.bias"]))


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_norm_comes_before_the_activation_and_dropout_after_it(norm: str) -> None:
    net = models.build(
        "mlp", {"sizes": [6], "norm": norm, "dropout": 0.5}, input_shape=(8,), outputs=4
    ).train()
    use_generator(net, torch.Generator().manual_seed(0))
    w = net.state_dict()
    x = torch.randn(5, 8)
    hidden = F.linear(x, w["linear1.weight"], w["linear1.bias"])
    if norm == "batch":
        hidden = F.batch_norm(hidden, None, None, training=True)
    else:
        hidden = F.layer_norm(hidden, (6,))
    mask = torch.rand(5, 6, generator=torch.Generator().manual_seed(0)) >= 0.5
    hidden = F.relu(hidden) * mask * 2
    torch.testing.assert_close(net(x), F.linear(hidden, w["output.weight"], w["output.bias"]))


def test_without_activation_layers_compose_to_one_linear_map() -> None:
    net = MLP((6,), 2, sizes=[4], activation="none")
    x, y = torch.randn(3, 6), torch.randn(3, 6)
    torch.testing.assert_close(net(x + y) + net(torch.zeros(3, 6)), net(x) + net(y))


def test_state_names_are_those_of_the_layers_whatever_the_dropout() -> None:
    expected = [
        "linear1.weight",
        "linear1.bias",
        "norm1.weight",
        "norm1.bias",
        "output.weight",
        "output.bias",
    ]
    for dropout in (0.0, 0.5):
        net = MLP((6,), 2, sizes=[4], norm="layer", dropout=dropout)
        assert list(net.state_dict()) == expected


def test_no_bias_means_none_in_any_linear_layer() -> None:
    names = list(MLP((6,), 2, sizes=[4, 3], bias=False).state_dict())
    assert names == ["linear1.weight", "linear2.weight", "output.weight"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "model.width=0"),
        ({"norm": "batchnorm"}, "model.norm='batchnorm'.*did you mean 'batch'"),
        ({"activation": "rely"}, "model.activation='rely'.*did you mean 'relu'"),
        ({"dropout": 1}, "model.dropout=1: .* less than 1"),
        ({"taper": 0}, "model.taper=0: must be more than 0"),
        ({"sizes": [10, 0]}, r"model.sizes.1=0"),
        ({"widht": 3}, r"model.widht: .* did you mean 'width'"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_key(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        models.build("mlp", arguments, input_shape=(8,), outputs=4)


def test_the_output_is_one_linear_map_of_the_flattened_sample() -> None:
    net = LinearModel((2, 3, 3), 4)
    x = torch.randn(5, 2, 3, 3)
    weights = net.state_dict()
    assert list(weights) == ["output.weight", "output.bias"]
    torch.testing.assert_close(net(x), x.reshape(5, 18) @ weights["output.weight"].T + weights["output.bias"])


def test_bias_can_be_left_out() -> None:
    assert torch.equal(LinearModel((4,), 2, bias=False)(torch.zeros(1, 4)), torch.zeros(1, 2))
