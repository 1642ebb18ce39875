"""The sample of a surface: one, empty, the same for training and validation."""

from pathlib import Path

import torch

from dlx.data.source import sources


def test_there_is_one_sample_that_carries_nothing_to_train_and_to_validate_on():
    source = sources.build("surface", {}, root=Path("unused"))
    assert source.classes == ("x", "y")
    assert source.train.inputs.tolist() == [[0.0]]
    assert source.train.inputs.dtype == torch.float64
    assert source.validation is source.train
    assert source.test is None
