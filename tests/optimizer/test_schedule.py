"""Schedules against torch's own schedulers, step by step, and against closed forms."""

import math

import numpy as np
import pytest
import torch

from dlx.errors import RequestError
from dlx.optimizer.schedule import build_schedule

EPOCHS, STEPS = 6, 5
TOTAL = EPOCHS * STEPS


def factors(name, warmup=0.0, **arguments):
    schedule = build_schedule(name, arguments, warmup_epochs=warmup, epochs=EPOCHS, steps_per_epoch=STEPS)
    return [schedule(step) for step in range(TOTAL)]


def torch_factors(make_scheduler, every=1):
    """The learning rates at base rate 1 that a torch scheduler stepped after `every` steps gives."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make_scheduler(optimizer)
    rates = []
    for step in range(1, TOTAL + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % every == 0:
            scheduler.step()
    return rates


def test_constant_is_one():
    assert factors("constant") == [1.0] * TOTAL


def test_step_equals_torchs_step_lr_by_epoch():
    expected = torch_factors(lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.1), every=STEPS)
    assert factors("step", every=2, factor=0.1) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("per", "every"), [("epoch", STEPS), ("step", 1)])
def test_exponential_equals_torchs_exponential_lr(per, every):
    expected = torch_factors(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9), every=every)
    assert factors("exponential", decay=0.9, per=per) == pytest.approx(expected, rel=1e-12)


def test_cosine_equals_torchs_cosine_annealing_by_step():
    expected = torch_factors(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, TOTAL, eta_min=0.1))
    assert factors("cosine", final=0.1) == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore:To get the last learning rate")
def test_one_cycle_equals_torchs_one_cycle_lr():
    # torch's scheduler stops at its last step, so step it one time fewer.
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=TOTAL, cycle_momentum=False
    )
    expected = []
    for _ in range(TOTAL):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < TOTAL:
            scheduler.step()
    got = factors("one_cycle", peak_at=0.3, start=1 / 25, final=1 / 25 / 1e4)
    assert got == pytest.approx(expected, rel=1e-9)


def test_triangular_interpolates_between_three_points():
    expected = np.interp(range(TOTAL), [0, 0.23 * TOTAL, TOTAL], [0.2, 1, 0.07])
    assert factors("triangular", peak_at=0.23, start=0.2, final=0.07) == pytest.approx(
        expected.tolist(), rel=1e-12
    )


def test_warm_up_climbs_linearly_and_the_schedule_covers_the_remaining_steps():
    got = factors("cosine", warmup=2, final=0.0)
    assert got[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    left = TOTAL - 10
    assert got[10:] == pytest.approx([(1 + math.cos(math.pi * s / left)) / 2 for s in range(left)])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("cosin", {}, "did you mean 'cosine'"),
        ("step", {"every": 0, "factor": 0.1}, "schedule.every=0"),
        ("step", {"every": 1, "factr": 0.1}, "did you mean 'factor'"),
        ("exponential", {"decay": 0.9, "per": "batch"}, "must be one of epoch, step"),
    ],
)
def test_a_wrong_schedule_is_refused_by_name(name, arguments, message):
    with pytest.raises(RequestError, match=message):
        factors(name, **arguments)
