"""What training takes is computed from shapes, and refused before any of it is asked for."""

import json

import pytest
import torch
from torch import nn

from dlx import device
from dlx.engine import memory
from dlx.engine.memory import check_model_memory
from dlx.errors import RequestError

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
@pytest.mark.parametrize("shape", [(1, 12, 20), (3, 32, 32)])
def test_the_bounds_are_no_less_than_the_sizes(name, arguments, shape):
    given = name, json.dumps(arguments), shape, 10
    parameters, values, largest = memory._sizes(*given)
    bounds = memory._bounds(*given)
    assert bounds[0] == parameters
    assert values <= bounds[1] < 20 * values  # close enough to save the forward pass
    assert largest <= bounds[2]
    if name in ("mlp", "linear"):
        assert bounds == (parameters, values, largest)


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(4, 9), nn.Unflatten(1, (1, 3, 3))),
        nn.Sequential(nn.Linear(2, 100), nn.Flatten()),  # one output for each row of the image
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=2)),
        nn.Sequential(nn.Upsample(scale_factor=2)),
        nn.Sequential(nn.MaxPool2d(2, stride=1, padding=1)),
        nn.Transformer(4, 1, 1, 1, 4),
    ],
)
def test_layers_that_may_enlarge_their_input_have_no_bounds(net, monkeypatch):
    monkeypatch.setattr(memory, "_on_meta", lambda *_: net)
    assert memory._bounds.__wrapped__("own", "{}", (1, 2, 2), 9) is None


def test_a_model_whose_bounds_are_too_much_is_judged_by_its_sizes(monkeypatch):
    monkeypatch.setattr(memory, "_bounds", lambda *_: (1, 10**15, 1))
    check()
    with pytest.raises(RequestError, match=f"with {64 * 10**9 + 10**9 + 10 * 10**9 + 10:,} parameters"):
        check(width=10**9)
