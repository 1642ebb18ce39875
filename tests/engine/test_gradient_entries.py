"""One entry of a gradient by itself: which are chosen, the slopes, the steps that are tried, and kinks."""

import math
from dataclasses import replace

import pytest
import torch

from dlx import rng
from dlx.engine import gradient_check
from dlx.engine.gradient_check import (
    Entry,
    TensorCheck,
    _choose,
    _compare,
    _Objective,
    _slopes,
    check_gradients,
    jittered_batch,
)
from dlx.engine.run import Seeds
from dlx.errors import RequestError
from dlx.model.models import use_generator

EPS = torch.finfo(torch.float64).eps


def entry(error, *, kink=False):
    return Entry((0,), 1.0, 1.0, error, kink)


def test_a_tensor_is_as_good_as_its_worst_entry_that_is_no_kink():
    check = TensorCheck("w", (4,), 1.0, (entry(0.1), entry(9.0, kink=True), entry(0.3), entry(0.2)))
    assert [each.error for each in check.compared] == [0.1, 0.3, 0.2]
    assert check.worst.error == 0.3
    assert [check.passed(tolerance) for tolerance in (0.29, 0.3, 0.31)] == [False, True, True]
    kinks = TensorCheck("w", (1,), 1.0, (entry(9.0, kink=True),))
    assert kinks.worst is None
    assert kinks.passed(0.0)


def test_the_largest_entry_comes_first_and_then_others_at_random():
    gradient = torch.tensor([[0.0, 1.0, 0.5], [-4.0, 2.0, 0.0]])
    draws = torch.Generator().manual_seed(0)
    every = list(_choose(gradient, 0, draws))
    assert every[0] == (1, 0)
    assert sorted(every) == [(row, column) for row in range(2) for column in range(3)]
    draws.manual_seed(0)
    order = torch.randperm(6, generator=draws)
    others = [(int(index) // 3, int(index) % 3) for index in order if int(index) != 3]
    assert every[1:] == others
    assert [len(list(_choose(gradient, count, draws))) for count in (1, 2, 6, 7)] == [1, 2, 6, 6]
    assert list(_choose(gradient, 1, draws)) == [(1, 0)]
    assert list(_choose(torch.tensor(2.0), 0, draws)) == [()]


def test_the_batch_is_the_first_of_epoch_1_with_a_tenth_of_its_deviation_as_noise(make_run):
    run = make_run()
    index = torch.randperm(22, generator=rng.generator(0, "order", 1))[:6]
    inputs = run.data.train.inputs[index]
    noise = torch.randn(inputs.shape, generator=rng.generator(0, "gradient check jitter"))
    got, labels = jittered_batch(run, 6)
    torch.testing.assert_close(got, inputs + 0.1 * inputs.std(correction=0) * noise)
    assert torch.equal(labels, run.data.train.labels[index])


class Objective:
    """A loss of one tensor."""

    def __init__(self, function, at):
        self.tensor = torch.tensor([7.0, at], dtype=torch.float64)
        self._function, self.tried = function, []

    def value(self):
        assert self.tensor[0] == 7.0, "only the entry may move"
        self.tried.append(float(self.tensor[1]))
        return self._function(self.tried[-1])


def slopes(function, at, step):
    objective = Objective(function, at)
    found = _slopes(objective, function(at), objective.tensor, (1,), step)
    assert objective.tensor.tolist() == [7.0, at], "it is put back"
    return found, objective.tried


def test_slopes_are_those_below_across_and_above():
    found, tried = slopes(lambda x: x * x, 0.5, 0.25)
    assert found == (0.75, 1.0, 1.25)
    assert tried == [0.25, 0.75]


@pytest.mark.parametrize(("at", "moved"), [(8.0, 2.0), (-8.0, 2.0), (0.125, 0.25), (1.0, 0.25)])
def test_a_step_is_relative_to_an_entry_above_1(at, moved):
    assert slopes(lambda x: x, at, 0.25)[1] == [at - moved, at + moved]


def test_an_entry_is_put_back_where_the_loss_fails():
    def fails(x):
        raise RuntimeError("no loss")

    objective = Objective(fails, 0.5)
    with pytest.raises(RuntimeError, match="no loss"):
        _slopes(objective, 1.0, objective.tensor, (1,), 0.25)
    assert objective.tensor.tolist() == [7.0, 0.5]


def compare(function, at, autograd, tolerance=1e-6):
    objective = Objective(function, at)
    return _compare(objective, function(at), objective.tensor, (1,), autograd, tolerance), objective


def test_a_right_gradient_needs_one_step():
    found, objective = compare(lambda x: x**3, 0.5, 0.75)
    assert len(objective.tried) == 2
    assert (found.index, found.autograd, found.kink) == ((1,), 0.75, False)
    assert found.difference == pytest.approx(0.75, abs=1e-9)
    allowed = max(1e-6 * 0.75, 8 * EPS / 1e-5)
    assert found.error == pytest.approx(abs(0.75 - found.difference) * 1e-6 / allowed, rel=1e-6, abs=1e-20)
    assert found.error <= 1e-6


@pytest.mark.parametrize("factor", [1.001, 0.999, -1.0, 3.0])
def test_a_wrong_gradient_fails_at_every_step(factor):
    found, objective = compare(lambda x: x**3, 0.5, 0.75 * factor)
    assert len(objective.tried) == 8
    assert not found.kink
    assert found.error == pytest.approx(abs(1 - factor) / max(abs(factor), 1), rel=1e-3)
    assert found.difference == pytest.approx(0.75, rel=1e-5)


@pytest.mark.parametrize("autograd", [-1.0, 1.0])
def test_the_slope_of_one_side_is_a_kink(autograd):
    assert compare(abs, 0.0, autograd)[0].kink


@pytest.mark.parametrize("autograd", [0.5, -0.5, 3.0])
def test_any_other_slope_at_a_kink_is_an_error(autograd):
    found = compare(abs, 0.0, autograd)[0]
    assert not found.kink
    assert found.error > 0.1


def test_the_slope_of_a_curved_side_is_a_kink_too():
    def bent(x):
        return math.sin(3 * x) + 40 * x * x if x > 0 else -x

    assert compare(bent, 0.0, 3.0)[0].kink
    assert compare(bent, 0.0, -1.0)[0].kink


def test_a_loss_that_is_not_finite_nearby_is_an_error():
    found = compare(lambda x: math.inf if x != 0.5 else 1.0, 0.5, 1.0)[0]
    assert found.error == math.inf


def test_rounding_of_a_large_loss_is_no_error():
    found, _ = compare(lambda x: 1e6 + x, 0.5, 1.0)
    assert not found.kink
    assert found.error <= 1e-6


def test_what_does_not_reach_the_loss_has_a_gradient_of_zero(make_run):
    run = make_run()
    unused = torch.zeros(2, requires_grad=True)
    inputs, labels = run.data.train.batch(torch.arange(4))
    objective = _Objective(run, inputs.requires_grad_(), labels)
    value, (of_unused, of_inputs) = objective.differentiate([unused, inputs])
    assert value == objective.value()
    assert torch.equal(of_unused, torch.zeros(2))
    assert of_inputs.abs().max() > 0


class Drawing(torch.nn.Linear):
    """Draws from torch's global generator."""

    def forward(self, x):
        return super().forward(x) * torch.rand(3)


def test_the_loss_is_that_of_the_draws_of_epoch_1(make_run):
    seeds, inputs = Seeds(order=4, augment=5, dropout=6), make_run().data.train.inputs[:4]
    labels = make_run().data.train.labels[:4]

    def loss(model):
        with rng.global_state(6, "module", 1), torch.no_grad():
            use_generator(model, rng.generator(6, "dropout", 1))
            return float(torch.nn.functional.cross_entropy(model(inputs), labels))

    dropped = make_run(model_arguments={"sizes": [8], "dropout": 0.5}, seeds=seeds)
    dropped.model.train()
    for run in (make_run(model=Drawing(5, 3), seeds=seeds), dropped):
        assert _Objective(run, inputs, labels).value() == pytest.approx(loss(run.model), rel=1e-6)


def test_the_entries_that_are_compared_follow_the_seed_of_the_order(make_run):
    run = make_run(model=torch.nn.Linear(5, 3).double(), seeds=Seeds(order=4, augment=5, dropout=6))
    split = run.data.train
    run = replace(run, data=replace(run.data, train=replace(split, inputs=split.inputs.double())))
    results = check_gradients(run, samples=4, entries=4, tolerance=1e-6)
    draws = rng.generator(4, "gradient check")
    for result in results:
        order = torch.randperm(math.prod(result.shape), generator=draws)
        largest, *others = ([int(i) for i in each.index] for each in result.entries)
        flat = [int(torch.arange(math.prod(result.shape)).view(result.shape)[tuple(i)]) for i in others]
        first = int(torch.arange(math.prod(result.shape)).view(result.shape)[tuple(largest)])
        assert flat == [int(index) for index in order if int(index) != first][: len(flat)]
    assert [len(result.entries) for result in results] == [4, 3, 4]
    assert run.model.training


def test_the_steps_and_the_bound_on_rounding():
    assert gradient_check.STEPS == (1e-5, 1e-6, 1e-7, 1e-8)
    assert gradient_check.ROUNDING == 8 * EPS


@pytest.mark.parametrize(
    ("first", "again", "same"),
    [
        (1.0, 1 + 8 * EPS, True),
        (1.0, 1 + 9 * EPS, False),
        (1.0, 1 - 9 * EPS, False),
        (0.5, 0.5 + 8 * EPS, True),  # of a small loss, the bound is that of 1
        (-4.0, -4 - 32 * EPS, True),
        (-4.0, -4 - 36 * EPS, False),
    ],
)
def test_a_loss_may_differ_by_rounding_when_it_is_computed_again(make_run, monkeypatch, first, again, same):
    run = make_run()
    objective = _Objective(run, torch.zeros(1), torch.zeros(1))
    values = iter([first, again])
    monkeypatch.setattr(objective, "evaluate", lambda: torch.tensor(next(values), dtype=torch.float64))
    weight = torch.zeros(1)
    if same:
        assert objective.differentiate([weight])[0] == first
    else:
        with pytest.raises(RequestError, match="the model draws random numbers from outside torch, or rem"):
            objective.differentiate([weight])
