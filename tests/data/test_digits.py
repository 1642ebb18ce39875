import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from dlx.data.digits import digits, digits_binary

ROOT = Path("unused")


def test_digits_are_scikit_learns_images_as_whole_numbers():
    source, bundle = digits(ROOT), load_digits()
    assert source.train.inputs.shape == (1797, 1, 8, 8)
    assert source.train.inputs.dtype == torch.uint8
    assert torch.equal(source.train.inputs[:, 0].double(), torch.from_numpy(bundle.images))
    assert torch.equal(source.train.labels, torch.from_numpy(bundle.target).long())
    assert source.classes == tuple("0123456789")
    assert source.white == 16.0 == source.train.inputs.max()
    assert source.validation is None
    assert source.test is None


def test_digits_binary_separates_zero_to_four_from_five_to_nine():
    source, ten = digits_binary(ROOT), digits(ROOT)
    assert source.classes == ("0-4", "5-9")
    assert source.train.labels.dtype == torch.int64
    for digit in range(10):
        assert (source.train.labels[ten.train.labels == digit] == (1 if digit >= 5 else 0)).all()


@pytest.mark.slow
def test_reading_digits_through_the_registry_imports_no_other_sources_libraries():
    code = """
import sys
from pathlib import Path
from dlx.data.source import sources
sources.build("digits", {}, root=Path("unused"))
sys.exit(", ".join({"torchvision", "sklearn", "PIL", "pooch", "requests"} & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert done.returncode == 0
