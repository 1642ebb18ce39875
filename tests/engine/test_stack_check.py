"""A stack that differs from the loop is found out by one step; what cannot be stacked is named."""

import copy
import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.engine import stack_check, stacked
from dlx.engine.stack_check import check_stack
from dlx.engine.stacked_layers import StackedConv2d
from tests.engine.own_nets import (
    OUTPUTS,
    STACKED,
    Counts,
    Draws,
    Encoder,
    built,
    circular,
    images,
    transformer,
)


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(stack_check, "_known", {})


@pytest.fixture
def checked(make_run):
    return lambda make: check_stack(make_run(data=images(), model=built(make)))


@pytest.mark.parametrize("name", STACKED)
def test_a_right_stack_differs_by_rounding(name, checked):
    check = checked(STACKED[name])
    assert check.reason == ""
    assert check.difference < 1e-10


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_right_stack_of_layers_differs_by_rounding(dropout, make_run):
    settings = {"sizes": [8], "norm": "batch", "dropout": dropout}
    assert check_stack(make_run(model_arguments=settings)).difference < 1e-10


def test_a_layer_that_is_stacked_wrongly_is_found_out(checked, monkeypatch):
    monkeypatch.setattr(StackedConv2d, "unlike", classmethod(lambda *_: ""))
    net = [nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), nn.Flatten(), nn.Linear(72, OUTPUTS)]
    check = checked(lambda: nn.Sequential(*copy.deepcopy(net)))
    assert check.difference > 0.01
    assert check.reason == f"as a stack, their first step would differ by {check.difference:.2g}"


def test_statistics_that_go_wrong_are_found_out_though_the_outputs_agree(make_run, monkeypatch):
    forward = stacked.LayerStack.forward

    def tampered(self, x):
        out = forward(self, x)
        for name, buffer in self.body.named_buffers():
            if "running_var" in name:
                buffer.data.mul_(1.001)
        return out

    monkeypatch.setattr(stacked.LayerStack, "forward", tampered)
    check = check_stack(make_run(model_arguments={"sizes": [8], "norm": "batch"}))
    assert check.difference == pytest.approx(1e-3, rel=0.1)
    assert check.reason


def test_an_evaluation_that_goes_wrong_is_found_out(make_run, monkeypatch):
    forward = stacked.LayerStack.forward
    monkeypatch.setattr(
        stacked.LayerStack, "forward", lambda self, x: forward(self, x) * (1 if self.training else 1.01)
    )
    assert check_stack(make_run()).difference == pytest.approx(0.01, rel=1e-6)


def branch(x):
    return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Draws(lambda x: F.dropout(x, 0.5)), "the model's forward draws random numbers (dropout)"),
        (lambda: Draws(lambda x: x + torch.rand(1)), "the model's forward draws random numbers (rand)"),
        (lambda: Draws(lambda x: x * random.random()), "the model's forward draws random numbers in Python"),
        (Counts, "the model's forward changes one of its attributes"),
        (lambda: Draws(branch), "data-dependent control flow"),
        (lambda: Draws(lambda x: x / x.max().item()), ".item()"),
        (
            lambda: Encoder(nn.GRU(8, 8, batch_first=True)),
            "rule not implemented for aten::gru.input",
        ),
        (lambda: Encoder(nn.LSTM(8, 8, batch_first=True)), "rule not implemented for aten::lstm.input"),
        (lambda: Encoder(transformer(0.1)), "draws random numbers (multi_head_attention_forward)"),
        (lambda: Encoder(nn.AlphaDropout(0.5)), "draws random numbers (alpha_dropout)"),
    ],
)
def test_what_cannot_be_stacked_is_named(make, said, checked):
    reason = checked(make).reason
    assert said in reason
    assert len(reason) < 110


def test_a_module_that_cannot_compute_in_float64_is_compared_in_its_own_precision(checked):
    def make():
        return Draws(lambda x: x @ torch.eye(36))

    with pytest.raises(RuntimeError, match="same dtype"):
        make().double()(torch.zeros(1, 36, dtype=torch.float64))
    assert checked(make).reason == ""


def test_nothing_of_the_run_changes(make_run):
    run = make_run(data=images(), model=built(STACKED["group, batch and layer norm"]))
    state = {name: value.clone() for name, value in run.model.state_dict().items()}
    before = torch.get_rng_state()
    check_stack(run)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in run.model.state_dict().items())
    assert all(parameter.grad is None for parameter in run.model.parameters())
    assert not run.optimizers[0].state


def test_runs_of_one_kind_are_checked_once(make_run, monkeypatch):
    first = check_stack(make_run())
    monkeypatch.setattr(stack_check, "_check", lambda _: pytest.fail("checked again"))
    assert check_stack(make_run(init_seed=1)) is first


def test_a_net_padded_in_a_circle_is_no_stack_of_layers(make_run):
    run = make_run(data=images(), model=built(circular))
    assert not stacked.is_of_layers(run)
    assert stacked.is_of_layers(make_run())
