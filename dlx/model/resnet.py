"""The residual network for small images (He et al. 2016, section 4.2): [B, C, H, W] -> [B, outputs]."""

from collections import OrderedDict

from torch import Tensor, nn

from dlx.model.models import Count, Layers, image_shape, models


@models.register("resnet")
class ResNet(nn.Sequential):
    """6n + 2 layers: a convolution, three stages of n = `blocks` blocks, global average pooling, linear.

    The stages have 1, 2 and 4 times `width` channels; the second and third halve the image. 3 blocks at
    width 16 is ResNet-20. A shortcut that changes the shape is a 1x1 convolution (the paper's option B),
    where the paper's small networks pad with zeros: 2,752 more weights at that size.
    """

    def __init__(
        self, input_shape: tuple[int, ...], outputs: int, *, blocks: Layers = 3, width: Count = 16
    ) -> None:
        channels, _, _ = image_shape("resnet", input_shape)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv=nn.Conv2d(channels, width, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(width),
            activation=nn.ReLU(),
        )
        incoming = width
        for stage, outgoing in enumerate((width, 2 * width, 4 * width), start=1):
            for number in range(1, blocks + 1):
                stride = 2 if stage > 1 and number == 1 else 1
                layers[f"block{stage}_{number}"] = BasicBlock(incoming, outgoing, stride)
                incoming = outgoing
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["output"] = nn.Linear(incoming, outputs)
        super().__init__(layers)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: [B, incoming, H, W] -> [B, outgoing, H / stride, W / stride]."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(incoming, outgoing, 3, stride=stride, padding=1, bias=False),
                norm1=nn.BatchNorm2d(outgoing),
                activation1=nn.ReLU(),
                conv2=nn.Conv2d(outgoing, outgoing, 3, padding=1, bias=False),
                norm2=nn.BatchNorm2d(outgoing),
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or incoming != outgoing:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(incoming, outgoing, 1, stride=stride, bias=False),
                    norm=nn.BatchNorm2d(outgoing),
                )
            )
        self.activation = nn.ReLU()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return activation(residual(x) + shortcut(x))."""
        out: Tensor = self.activation(self.residual(x_BCHW) + self.shortcut(x_BCHW))
        return out
