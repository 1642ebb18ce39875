import torch
import torch.nn.functional as F
from torch import nn

from dlx.model.cnn import CNN
from dlx.model.layers import use_generator


def test_the_output_is_that_of_the_layers_written_out() -> None:
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
