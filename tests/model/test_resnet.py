import torch
import torch.nn.functional as F
from torch import nn

from dlx.model.resnet import BasicBlock, ResNet


def test_three_blocks_per_stage_make_resnet_20_with_projection_shortcuts() -> None:
    net = ResNet((3, 32, 32), 10, blocks=3, width=16)
    # 269,722 with the paper's parameter-free shortcuts; both projections with their norms are 2,752 more.
    assert sum(p.numel() for p in net.parameters()) == 269_722 + 2_752
    weighty = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    shortcuts = [m for m in weighty if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert len(weighty) - len(shortcuts) == 20


def test_stages_halve_the_image_and_double_the_channels() -> None:
    shapes = []
    net = ResNet((3, 32, 32), 10, blocks=2, width=4).eval()
    for block in net:
        if isinstance(block, BasicBlock):
            block.register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape[1:])))
    net(torch.zeros(1, 3, 32, 32))
    assert shapes == [(4, 32, 32)] * 2 + [(8, 16, 16)] * 2 + [(16, 8, 8)] * 2


def normed(x: torch.Tensor) -> torch.Tensor:
    return F.batch_norm(x, None, None, training=True)


def test_a_block_adds_its_input_to_the_two_convolutions() -> None:
    block = BasicBlock(4, 4, stride=1).train()
    w = block.state_dict()
    x = torch.randn(3, 4, 6, 6)
    residual = F.relu(normed(F.conv2d(x, w["residual.conv1.weight"], padding=1)))
    residual = normed(F.conv2d(residual, w["residual.conv2.weight"], padding=1))
    torch.testing.assert_close(block(x), F.relu(residual + x))


def test_a_block_that_changes_shape_projects_its_input() -> None:
    block = BasicBlock(2, 4, stride=2).train()
    w = block.state_dict()
    x = torch.randn(3, 2, 7, 7)
    residual = F.relu(normed(F.conv2d(x, w["residual.conv1.weight"], padding=1, stride=2)))
    residual = normed(F.conv2d(residual, w["residual.conv2.weight"], padding=1))
    shortcut = normed(F.conv2d(x, w["shortcut.conv.weight"], stride=2))
    torch.testing.assert_close(block(x), F.relu(residual + shortcut))
