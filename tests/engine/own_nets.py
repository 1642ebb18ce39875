"""Nets as users write them, for images [B, 1, 6, 6], and such images."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from dlx.data.dataset import Dataset, Split
from dlx.model.models import draw_from_generators

SHAPE, OUTPUTS = (1, 6, 6), 3


def images():
    """22 training, 10 validation and 8 test images in 3 classes."""
    draws = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(40, *SHAPE, generator=draws), torch.randint(OUTPUTS, (40,), generator=draws)
    splits = [Split(inputs[a:b], labels[a:b]) for a, b in ((0, 22), (22, 32), (32, 40))]
    return Dataset("images", ("a", "b", "c"), *splits)


class Functional(nn.Module):
    """Convolutions, depthwise and dilated, with activations from torch.nn.functional."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4)
        self.out = nn.Linear(4, OUTPUTS)

    def forward(self, x):
        x = F.relu(self.first(x))
        return self.out((x + F.gelu(self.depthwise(x))).mean((2, 3)))


class Norms(nn.Module):
    """GroupNorm, BatchNorm with running statistics, LayerNorm over [C, H, W]."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.group, self.batch, self.layer = nn.GroupNorm(2, 4), nn.BatchNorm2d(4), nn.LayerNorm([4, 4, 4])
        self.out = nn.Linear(64, OUTPUTS)

    def forward(self, x):
        x = F.silu(self.group(self.conv(x)))
        return self.out(F.elu(self.layer(self.batch(x))).flatten(1))


class Attention(nn.Module):
    """Self-attention over the rows of an image, with a residual connection."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Linear(6, 8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, OUTPUTS)

    def forward(self, x):
        rows = self.embed(x.squeeze(1))
        attended, _ = self.attention(rows, rows, rows)
        return self.out(self.norm(rows + attended).mean(1))


class Dropped(nn.Module):
    """torch's dropout of channels, and of values in place."""

    def __init__(self):
        super().__init__()
        self.conv, self.channels = nn.Conv2d(1, 8, 3), nn.Dropout2d(0.3)
        self.hidden, self.values = nn.Linear(128, 16), nn.Dropout(0.4, inplace=True)
        self.out = nn.Linear(16, OUTPUTS)

    def forward(self, x):
        x = F.relu(self.channels(self.conv(x))).flatten(1)
        return self.out(torch.tanh(self.values(self.hidden(x))))


class Tied(nn.Module):
    """One weight in two layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(36, 36), nn.Linear(36, 36)
        self.second.weight = self.first.weight
        self.out = nn.Linear(36, OUTPUTS)

    def forward(self, x):
        return self.out(torch.tanh(self.second(torch.tanh(self.first(x.flatten(1))))))


class Resized(nn.Module):
    """Upsampling, adaptive pooling, and a buffer that the forward replaces."""

    def __init__(self):
        super().__init__()
        self.conv, self.up = nn.Conv2d(1, 4, 3), nn.Upsample(scale_factor=2, mode="bilinear")
        self.pool, self.out = nn.AdaptiveAvgPool2d(2), nn.Linear(16, OUTPUTS)
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x):
        x = self.conv(x)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean((0, 2, 3))
        return self.out(self.pool(self.up(x - self.mean[:, None, None])).flatten(1))


class Encoder(nn.Module):
    """A transformer's encoder layer, or a recurrent layer, over the rows of an image."""

    def __init__(self, layer):
        super().__init__()
        self.embed, self.layer, self.out = nn.Linear(6, 8), layer, nn.Linear(8, OUTPUTS)

    def forward(self, x):
        encoded = self.layer(self.embed(x.squeeze(1)))
        return self.out((encoded[0] if isinstance(encoded, tuple) else encoded)[:, -1])


class Steps(nn.Module):
    """A recurrent net that goes step by step."""

    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.GRUCell(6, 8), nn.Linear(8, OUTPUTS)

    def forward(self, x):
        state = x.new_zeros(len(x), 8)
        for row in x.squeeze(1).unbind(1):
            state = self.cell(row, state)
        return self.out(state)


class Constant(nn.Module):
    """A layer of a constant input, which all members share, and a layer without bias."""

    def __init__(self):
        super().__init__()
        self.gate, self.out = nn.Linear(2, 36), nn.Linear(36, OUTPUTS, bias=False)

    def forward(self, x):
        return self.out(x.flatten(1) * self.gate(x.new_ones(1, 2)))


def transformer(dropout):
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=dropout, batch_first=True)


def circular():
    conv = nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular")
    return nn.Sequential(
        conv, nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(144, OUTPUTS)
    )


STACKED = {
    "functional, depthwise, dilated": Functional,
    "group, batch and layer norm": Norms,
    "attention": Attention,
    "dropout of values and channels": Dropped,
    "tied weights": Tied,
    "upsampling, adaptive pooling, buffer": Resized,
    "encoder layer without dropout": lambda: Encoder(transformer(0.0)),
    "recurrent cell": Steps,
    "layer of a constant": Constant,
    "weight norm": lambda: nn.Sequential(nn.Flatten(), weight_norm(nn.Linear(36, OUTPUTS))),
    "circular padding, norm by the batch": circular,
}
"""Nets that vmap runs as the loop does."""


class Draws(nn.Module):
    def __init__(self, draw):
        super().__init__()
        self.out, self.draw = nn.Linear(36, OUTPUTS), draw

    def forward(self, x):
        return self.out(self.draw(x.flatten(1)))


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.calls = nn.Linear(36, OUTPUTS), 0

    def forward(self, x):
        self.calls += 1
        return self.out(x.flatten(1)) / self.calls


def built(make, seed=0):
    """A net with its own weights and running statistics, as dlx builds it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                module.running_mean.normal_()
    draw_from_generators(net)
    return net
