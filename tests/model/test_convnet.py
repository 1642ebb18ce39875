import torch
import torch.nn.functional as F

from dlx.model.convnet import ConvNet


def test_the_output_is_that_of_the_layers_written_out() -> None:
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
