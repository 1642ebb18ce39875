"""The check of a student's own module: what is said of right, wrong, dead and broken ones."""

import pytest

from dlx.grade.module_check import check_module, problems

pytestmark = pytest.mark.slow  # each module is checked in a process of its own, which imports torch

WORDS = ["data=blobs", "data.samples=100", "model.target=mynet:Net"]
NET = """
import torch
from torch import nn

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return {factor} * gradient

class Net(nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.first, self.last = nn.Linear(input_shape[0], 8), nn.Linear(8, outputs)
        self.unused = nn.Parameter(torch.ones(3)) if {unused} else None

    def forward(self, x):
        return self.last(torch.tanh(Double.apply(self.first(x))))
"""


def module(folder, text):
    (folder / "mynet.py").write_text(text)
    return folder


def test_a_wrong_backward_pass_and_an_unused_parameter_are_named(tmp_path):
    assert check_module(module(tmp_path, NET.format(factor=3, unused=True)), WORDS) == [
        "the gradient differs from finite differences: first.weight; first.bias; input",
        "the gradient is zero everywhere: unused",
    ]


def test_a_module_that_fails_or_never_ends_is_a_problem_of_its_own(tmp_path):
    (said,) = check_module(module(tmp_path, "raise RuntimeError('lost')"), WORDS)
    assert said.startswith("the module cannot be checked: ")
    assert "lost" in said
    assert "HYDRA_FULL_ERROR" not in said
    (said,) = check_module(module(tmp_path, "while True: pass"), WORDS, seconds=1)
    assert said == "the module's check took more than 1 seconds and was stopped"


def test_a_gradient_that_is_not_finite_is_named():
    tensors = [
        {"name": "w", "passed": True, "largest": None},
        {"name": "input", "passed": True, "largest": 0},
    ]
    assert problems({"input": "input", "tensors": tensors}) == ["the gradient is not finite: w"]
