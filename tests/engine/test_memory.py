"""What training takes is computed from shapes, and refused before any of it is asked for."""

import pytest
import torch

from dlx import device
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
