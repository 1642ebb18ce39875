"""What training takes is computed from shapes, and refused before any of it is asked for."""

import pytest
import torch
from torch import nn

from dlx import device
from dlx.engine import memory
from dlx.engine.memory import check_model_memory
from dlx.errors import RequestError
from dlx.model.models import models

MLP = {"width": 16, "depth": 1, "norm": "none", "sizes": None}
PARAMETERS = 64 * 16 + 16 + 16 * 10 + 10
VALUES = 64 + (64 + 16 + 16 + 16 + 10)  # the input; flatten, linear, activation, dropout, output
# 4 copies of the weights, 3 of a batch of 32, 2 of the largest layer for 100 samples, 3 of their outputs.
NEEDED = 4 * (4 * PARAMETERS + 3 * 32 * VALUES + 2 * 100 * 64 + 3 * 100 * 10)


def check(**more):
    given = {"batch_size": 32, "evaluated": 100, "dtype": torch.float32, "device": torch.device("cpu")}
    check_model_memory("mlp", MLP | more, (1, 8, 8), 10, **given)


def test_a_model_that_needs_more_than_the_safe_share_is_refused(monkeypatch):
    free = int(NEEDED / device.SAFE_SHARE) + 1
    monkeypatch.setattr(device, "available_bytes", lambda: free)
    monkeypatch.setattr("dlx.engine.stack_width.available_bytes", lambda: free)
    check()
    monkeypatch.setattr("dlx.engine.stack_width.available_bytes", lambda: free - 2)
    said = rf"model.name=mlp: with {PARAMETERS:,} parameters and batches of 32, training needs about"
    with pytest.raises(RequestError, match=said):
        check()


def test_no_memory_is_taken_to_find_out():
    with pytest.raises(RequestError, match="training needs about 8,000,"):
        check(width=10**9, depth=2)


NETS = {
    "mlp": [{"norm": "layer", "depth": 4, "taper": 1.0, "dropout": 0.1}, {"sizes": []}],
    "linear": [{}],
    "cnn": [{"channels": [4, 8], "convolutions": 2}, {"norm": "none"}],
    "convnet": [{}],
    "lenet": [{"pool": "avg"}, {"activation": "gelu"}],
}


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, each) for name, all_of in NETS.items() for each in all_of]
)
@pytest.mark.parametrize("shape", [(1, 12, 20), (3, 32, 33)])
def test_shapes_are_computed_as_a_forward_pass_gives_them(name, arguments, shape):
    model = models.build(name, arguments, input_shape=shape, outputs=10).to("meta").eval()
    computed = memory._by_arithmetic(model, shape)
    assert computed == memory._by_trying(model, shape)
    assert computed[-1] == 10


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(1, 4, (3, 2), stride=(2, 1), padding=(2, 0), dilation=(1, 2))),
        nn.Sequential(nn.Linear(9, 3), nn.Flatten(), nn.LayerNorm(21)),  # on the rows of the image
        nn.Sequential(nn.MaxPool2d(3), nn.Sequential(nn.AvgPool2d(1), nn.Identity())),
    ],
)
def test_shapes_of_other_nets_of_known_layers_are_a_forward_passs(net):
    assert memory._by_arithmetic(net.to("meta"), (1, 7, 9)) == memory._by_trying(net, (1, 7, 9)) != []


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(8, 9)),  # the input has 4
        nn.Sequential(nn.Conv2d(1, 2, 3)),  # larger than the image
        nn.Sequential(nn.Conv2d(1, 2, 3, padding="same")),
        nn.Sequential(nn.Upsample(scale_factor=2)),
        nn.Sequential(nn.MaxPool2d(2, stride=1)),
        nn.Sequential(nn.AvgPool2d(2, ceil_mode=True)),
        nn.Sequential(nn.Flatten(2)),
        nn.Bilinear(2, 2, 2),
    ],
)
def test_what_cannot_be_computed_is_left_to_a_forward_pass(net):
    assert memory._by_arithmetic(net, (1, 2, 2)) is None
