"""What dlx builds against torch.optim's own and against published update vectors."""

import numpy as np
import pytest
import torch

from dlx.errors import RequestError
from dlx.optimizer.optimizers import optimizers

# The update-rule vectors of the computer vision course's assignment 3 (2024), float64: N=4, D=5.
W = torch.linspace(-0.4, 0.6, 20, dtype=torch.float64)
DW = torch.linspace(-0.6, 0.4, 20, dtype=torch.float64)


def step(name, arguments, state=()):
    """One step from W along DW with the optimizer's state preset; returns the new weights [20]."""
    parameter = torch.nn.Parameter(W.clone())
    (optimizer,) = optimizers.build(name, arguments, parameters=[parameter])
    parameter.grad = DW.clone()
    optimizer.state[parameter].update(dict(state))
    optimizer.step()
    return parameter.detach().numpy()


def test_sgd_with_momentum_gives_the_published_vector():
    # torch keeps velocity as -v / lr of the course's: w += v there, w -= lr * v here.
    velocity = torch.linspace(0.6, 0.9, 20, dtype=torch.float64)
    settings = {"lr": 1e-3, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    got = step("sgd", settings, {"momentum_buffer": -velocity / 1e-3})
    assert got[:3] == pytest.approx([0.1406, 0.20738947, 0.27417895], abs=1e-8)
    assert np.diff(got) == pytest.approx(np.full(19, 0.20738947 - 0.1406), abs=1e-7)  # evenly on


def test_rmsprop_gives_the_published_vector():
    cache = torch.linspace(0.6, 0.9, 20, dtype=torch.float64)
    settings = {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False}
    got = step("rmsprop", {**settings, "weight_decay": 0.0}, {"step": torch.tensor(0.0), "square_avg": cache})
    assert got[:3] == pytest.approx([-0.39223849, -0.34037513, -0.28849239], abs=1e-8)


def test_adam_gives_the_published_vector():
    settings = {"lr": 1e-2, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
    state = {
        "step": torch.tensor(5.0),
        "exp_avg": torch.linspace(0.6, 0.9, 20, dtype=torch.float64),
        "exp_avg_sq": torch.linspace(0.7, 0.5, 20, dtype=torch.float64),
    }
    got = step("adam", settings, state)
    assert got[:3] == pytest.approx([-0.40094747, -0.34836187, -0.29577703], abs=1e-8)
    assert got[-1] == pytest.approx(0.59801459, abs=1e-8)


@pytest.mark.parametrize(
    ("name", "arguments", "reference"),
    [
        (
            "adamw",
            {"lr": 0.1, "betas": [0.8, 0.9], "eps": 1e-7, "weight_decay": 0.3},
            lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.9), eps=1e-7, weight_decay=0.3),
        ),
        (
            "adagrad",
            {"lr": 0.1, "lr_decay": 0.2, "eps": 1e-9, "weight_decay": 0.3},
            lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.2, eps=1e-9, weight_decay=0.3),
        ),
        (
            "sgd",
            {"lr": 0.1, "momentum": 0.7, "nesterov": True, "weight_decay": 0.3},
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.7, nesterov=True, weight_decay=0.3),
        ),
    ],
)
def test_every_setting_reaches_torchs_optimizer(name, arguments, reference):
    ours, theirs = torch.nn.Parameter(W.clone()), torch.nn.Parameter(W.clone())
    (optimizer,) = optimizers.build(name, arguments, parameters=[ours])
    expected = reference([theirs])
    for _ in range(5):
        ours.grad, theirs.grad = ours.detach() * DW, theirs.detach() * DW
        optimizer.step()
        expected.step()
    assert torch.allclose(ours, theirs, rtol=1e-12)


def test_muon_optimizes_the_matrices_and_adamw_the_rest():
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in [(4, 3), (4,), (2, 1, 3, 3)]]
    settings = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "ns_steps": 5, "betas": [0.9, 0.999]}
    built = optimizers.build("muon", {**settings, "weight_decay": 0.0}, parameters=parameters)
    assert [type(o).__name__ for o in built] == ["Muon", "AdamW"]
    assert [[p.ndim for g in o.param_groups for p in g["params"]] for o in built] == [[2], [1, 4]]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("sgd", {"lr": -0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}, "optimizer.lr=-0.1"),
        (
            "sgd",
            {"lr": 0.1, "momentum": 0.0, "nesterov": True, "weight_decay": 0.0},
            "needs optimizer.momentum",
        ),
        ("sgd", {"lr": 0.1, "momentum": 1.0, "nesterov": False, "weight_decay": 0.0}, "less than 1"),
        (
            "sgd",
            {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
            "optimizer.lr: 'sgd' needs a value",
        ),
        ("adam", {"lr": "fast", "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0}, "must be a number"),
        ("adma", {}, "did you mean 'adam'"),
    ],
)
def test_a_wrong_optimizer_is_refused_by_name(name, arguments, message):
    with pytest.raises(RequestError, match=message):
        optimizers.build(name, arguments, parameters=[torch.nn.Parameter(W.clone())])
