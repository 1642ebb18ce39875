import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.model.convolutional import CNN, ConvNet, LeNet
from dlx.model.models import use_generator


def test_cnn_is_its_layers_written_out() -> None:
    net = CNN((3, 8, 8), 10, channels=(4, 6), convolutions=2, dropout=0.5).train()
    use_generator(net, torch.Generator().manual_seed(0))
    w = net.state_dict()
    x = torch.randn(5, 3, 8, 8)
    out = x
    for block in ("block1", "block2"):
        for number in (1, 2):
            out = F.conv2d(out, w[f"{block}.conv{number}.weight"], padding=1)
            out = F.relu(F.batch_norm(out, None, None, training=True))
        out = F.max_pool2d(out, 2)
    mask = torch.rand(5, 6 * 2 * 2, generator=torch.Generator().manual_seed(0)) >= 0.5
    out = out.flatten(1) * mask * 2
    torch.testing.assert_close(net(x), F.linear(out, w["output.weight"], w["output.bias"]))


def test_without_norm_every_convolution_has_a_bias_and_with_it_none() -> None:
    plain, normed = CNN((1, 8, 8), 2, norm="none"), CNN((1, 8, 8), 2, norm="batch")
    assert all(m.bias is not None for m in plain.modules() if isinstance(m, nn.Conv2d))
    assert all(m.bias is None for m in normed.modules() if isinstance(m, nn.Conv2d))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())


def test_odd_sizes_are_rounded_down_at_every_pooling() -> None:
    assert CNN((1, 13, 9), 2, channels=(2, 2, 2))(torch.zeros(2, 1, 13, 9)).shape == (2, 2)


def test_convnet_is_its_layers_written_out() -> None:
    net = ConvNet((3, 32, 32), 10)
    w = net.state_dict()
    assert {name: tuple(value.shape) for name, value in w.items() if name.endswith("weight")} == {
        "conv1.weight": (32, 3, 5, 5),
        "conv2.weight": (16, 32, 3, 3),
        "output.weight": (10, 16 * 32 * 32),
    }
    x = torch.randn(2, 3, 32, 32)
    out = F.relu(F.conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=2))
    out = F.relu(F.conv2d(out, w["conv2.weight"], w["conv2.bias"], padding=1)).flatten(1)
    torch.testing.assert_close(net(x), F.linear(out, w["output.weight"], w["output.bias"]))


def test_channels_may_be_any_list() -> None:
    net = ConvNet((1, 8, 6), 3, channels=(2, 4, 5), activation="tanh")
    assert net(torch.zeros(2, 1, 8, 6)).shape == (2, 3)
    assert [tuple(net.get_parameter(f"conv{n}.weight").shape[2:]) for n in (1, 2, 3)] == [
        (5, 5),
        (3, 3),
        (3, 3),
    ]


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32)])
def test_28_and_32_pixels_both_give_the_classical_61706_parameters(shape: tuple[int, int, int]) -> None:
    net = LeNet(shape, 10)
    assert sum(p.numel() for p in net.parameters()) == 61706
    assert net.get_parameter("linear1.weight").shape == (120, 16 * 5 * 5)


def test_lenet_is_its_layers_written_out() -> None:
    net = LeNet((1, 28, 28), 10, activation="tanh", pool="avg")
    w = net.state_dict()
    x = torch.randn(3, 1, 28, 28)
    out = F.avg_pool2d(torch.tanh(F.conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=2)), 2)
    out = F.avg_pool2d(torch.tanh(F.conv2d(out, w["conv2.weight"], w["conv2.bias"])), 2).flatten(1)
    for name in ("linear1", "linear2"):
        out = torch.tanh(F.linear(out, w[f"{name}.weight"], w[f"{name}.bias"]))
    torch.testing.assert_close(net(x), F.linear(out, w["output.weight"], w["output.bias"]))


def test_max_pooling_is_the_default_and_differs_from_average() -> None:
    x = torch.randn(3, 1, 28, 28)
    net, average = LeNet((1, 28, 28), 10), LeNet((1, 28, 28), 10, pool="avg")
    average.load_state_dict(net.state_dict())
    pooled = F.max_pool2d(F.relu(net.get_submodule("conv1")(x)), 2)
    torch.testing.assert_close(net[2](net[1](net[0](x))), pooled)
    assert not torch.allclose(net(x), average(x))


@pytest.mark.parametrize(("height", "width"), [(12, 12), (13, 31), (33, 47), (31, 32)])
def test_odd_sizes_fit_the_first_linear_layer(height: int, width: int) -> None:
    assert LeNet((2, height, width), 7)(torch.zeros(2, 2, height, width)).shape == (2, 7)
