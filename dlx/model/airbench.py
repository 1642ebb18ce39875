"""The network of airbench94, made for 94% on CIFAR-10 in seconds: [B, C, H, W] -> [B, outputs].

Source: Jordan (2024), "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", and
github.com/KellerJordan/cifar10-airbench.

Axes: B batch, C channels, H height, W width, P patches, F = 4 * C values of a patch of 2x2 pixels.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from dlx.model.models import Count, FittedToInputs, image_shape, models

PATCH = 2  # pixels a side
EPSILON = 5e-4  # added to the variances, so that the rarest patterns are not blown up
SHARE = 1 / 9  # of the outputs, which begin small
# The source trains the shifts of its norms at 64 times the learning rate. A shift that counts 8 times has a
# gradient 8 times as large, which comes to the same, weight decay included.
SHIFT = 8.0


@models.register("airbench")
class Airbench(FittedToInputs):
    """A whitening convolution that is not trained, three blocks of two convolutions, a linear layer.

    The blocks have `width`, 4 and 4 times `width` channels and halve the image. With `mirror`, an evaluation
    averages the outputs for an image and its mirror image.
    """

    def __init__(
        self, input_shape: tuple[int, ...], outputs: int, *, width: Count = 64, mirror: bool = True
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape("airbench", input_shape, smallest=9)
        self.mirror = mirror
        whitened = 2 * channels * PATCH**2
        self.whitening = nn.Conv2d(channels, whitened, PATCH)
        self.whitening.weight.requires_grad_(False)
        self.body = nn.Sequential(
            OrderedDict(
                activation=nn.GELU(),
                block1=_block(whitened, width),
                block2=_block(width, 4 * width),
                block3=_block(4 * width, 4 * width),
                pool=nn.AdaptiveMaxPool2d(1),
                flatten=nn.Flatten(),
                output=nn.Linear(4 * width, outputs, bias=False),
            )
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the outputs, in evaluation perhaps averaged over mirror images."""
        outputs = self._outputs(x_BCHW)
        if self.training or not self.mirror:
            return outputs
        return (outputs + self._outputs(x_BCHW.flip(-1))) / 2

    def _outputs(self, x_BCHW: Tensor) -> Tensor:
        out: Tensor = self.body(self.whitening(x_BCHW)) * SHARE
        return out

    @torch.no_grad()
    def fit(self, inputs: Tensor) -> None:
        """Let the first convolution whiten patches: its outputs are uncorrelated, with variances near 1.

        A second half of its channels has the opposite signs, because an activation follows.
        """
        nn.init.zeros_(self.whitening.bias)  # type: ignore[arg-type]
        patches_BFP = nn.functional.unfold(inputs, PATCH)
        patches_PF = patches_BFP.transpose(1, 2).flatten(0, 1)
        covariance_FF = (patches_PF.T @ patches_PF / len(patches_PF)).cpu().double()
        variances_F, patterns_FF = torch.linalg.eigh(covariance_FF)
        kernels_FF = (patterns_FF / (variances_F + EPSILON).sqrt()).T.flip(0)  # the largest variance first
        both = torch.cat([kernels_FF, -kernels_FF]).view(self.whitening.weight.shape)
        self.whitening.weight.copy_(both)


class _Norm(nn.BatchNorm2d):
    """Batch norm with a shift but no scale, whose running statistics follow the last batches closely."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4, affine=False)
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Normalise each channel, then shift it."""
        return super().forward(x_BCHW) + SHIFT * self.shift[:, None, None]


def _block(incoming: int, outgoing: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=_convolution(incoming, outgoing),
            pool=nn.MaxPool2d(2),
            norm1=_Norm(outgoing),
            activation1=nn.GELU(),
            conv2=_convolution(outgoing, outgoing),
            norm2=_Norm(outgoing),
            activation2=nn.GELU(),
        )
    )


def _convolution(incoming: int, outgoing: int) -> nn.Conv2d:
    """Build a 3x3 convolution whose first outputs are its inputs, as if there were a shortcut."""
    convolution = nn.Conv2d(incoming, outgoing, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight.data[:incoming])
    return convolution
