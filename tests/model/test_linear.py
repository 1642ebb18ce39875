import torch

from dlx.model.linear import LinearModel


def test_the_output_is_one_linear_map_of_the_flattened_sample() -> None:
    net = LinearModel((2, 3, 3), 4)
    x = torch.randn(5, 2, 3, 3)
    weights = net.state_dict()
    assert list(weights) == ["output.weight", "output.bias"]
    torch.testing.assert_close(net(x), x.reshape(5, 18) @ weights["output.weight"].T + weights["output.bias"])


def test_bias_can_be_left_out() -> None:
    assert torch.equal(LinearModel((4,), 2, bias=False)(torch.zeros(1, 4)), torch.zeros(1, 2))
