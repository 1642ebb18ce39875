import pytest
import torch
import torch.nn.functional as F

from dlx.model.lenet import LeNet


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32)])
def test_28_and_32_pixels_both_give_the_classical_61706_parameters(shape: tuple[int, int, int]) -> None:
    net = LeNet(shape, 10)
    assert sum(p.numel() for p in net.parameters()) == 61706
    assert net.get_parameter("linear1.weight").shape == (120, 16 * 5 * 5)


def test_the_output_is_that_of_the_layers_written_out() -> None:
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
