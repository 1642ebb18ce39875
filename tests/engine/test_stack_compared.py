"""What a stack is compared by: members, samples, and the measure of a difference."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from dlx import rng
from dlx.engine import memory, stack_check
from dlx.engine.loop import sample_order
from dlx.engine.side_effects import refuse_side_effects, side_effects
from dlx.engine.stack_check import StackCheck, _batches, _copy, _largest_difference, _short, check_stack
from dlx.engine.stacked_model import UnstackableError
from tests.engine.own_nets import OUTPUTS, Draws, built, images


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(stack_check, "_known", {})


def of(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize(
    ("alone", "together", "difference"),
    [
        ([{"w": of(1.0, -4.0)}], [{"w": of(1.0, -4.0)}], 0.0),
        ([{"w": of(1.0, -4.0)}], [{"w": of(1.5, -4.0)}], 0.125),
        ([{"w": of(1.0, -4.0)}], [{"w": of(1.0, 4.0)}], 2.0),
        # A tensor of nearly zeros is measured by a thousandth of the largest of its kind.
        ([{"w": of(4.0), "b": of(0.0)}], [{"w": of(4.0), "b": of(1e-6)}], 1e-6 / 4e-3),
        ([{"b": of(0.0)}], [{"b": of(1e-30)}], 1.0),
        # The largest of all kinds counts.
        ([{"w": of(1.0)}, {"w": of(2.0)}], [{"w": of(1.1)}, {"w": of(2.1)}], 0.1),
        ([{"w": of(1.0)}, {"w": of(2.0)}], [{"w": of(1.1)}], 0.1),  # a stack need not evaluate
        ([{"w": None}], [{"w": None}], 0.0),
        ([{"w": None, "b": of(1.0)}], [{"w": None, "b": of(1.25)}], 0.25),
        ([{"w": None}], [{"w": of(0.0)}], math.inf),
        ([{"w": of(1.0)}], [{"w": None}], math.inf),
        ([{"w": of(math.nan, 2.0)}], [{"w": of(math.nan, 3.0)}], 0.5),
        ([{"w": torch.zeros(0)}], [{"w": torch.zeros(0)}], 0.0),
        ([{}], [{}], 0.0),
    ],
)
def test_a_difference_is_relative_to_the_largest_of_its_tensor_or_kind(alone, together, difference):
    assert _largest_difference(alone, together) == pytest.approx(difference)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("One thing. Another thing."), "One thing"),
        (ValueError("One line\nanother one"), "One line"),
        (ValueError("a file.py is one word"), "a file.py is one word"),
        (ValueError("  spaces  "), "spaces"),
        (KeyError(), "KeyError"),
        (ValueError(""), "ValueError"),
    ],
)
def test_the_first_sentence_of_an_error(error, said):
    assert _short(error) == said


def test_members_have_weights_of_their_own_none_of_them_zero(make_run):
    run = make_run()
    with torch.no_grad():
        run.model.output.bias.zero_()
    before = {name: p.clone() for name, p in run.model.named_parameters()}
    for row in (0, 1):
        copied, draws = _copy(run, row, torch.float64), rng.generator(row, "check")
        for name, parameter in copied.named_parameters():
            noise = torch.randn(parameter.shape, generator=draws).double()
            expected = before[name].double() * (1 + 0.1 * noise) + 0.01 * noise
            torch.testing.assert_close(parameter.detach(), expected)
            assert parameter.all()
    assert all(torch.equal(p, before[name]) for name, p in run.model.named_parameters())


def test_the_first_and_the_last_samples_of_the_first_epoch(make_run):
    run, order = make_run(), sample_order(make_run(), 1)
    inputs, labels = _batches(run, 3, torch.float64)
    assert (inputs.shape, inputs.dtype, labels.shape) == ((2, 3, 5), torch.float64, (2, 3))
    for row, index in enumerate((order[:3], order.flip(0)[:3])):
        assert torch.equal(inputs[row], run.data.train.inputs[index].double())
        assert torch.equal(labels[row], run.data.train.labels[index])


def test_eight_samples_are_compared_or_a_whole_batch_where_float64_fails(make_run, monkeypatch):
    asked = []
    batches = stack_check._batches

    def noted(run, samples, dtype):
        asked.append((samples, dtype))
        return batches(run, samples, dtype)

    monkeypatch.setattr(stack_check, "_batches", noted)
    run = make_run(data=images(), batch_size=11, model=built(lambda: Draws(lambda x: x @ torch.eye(36))))
    assert check_stack(run).reason == ""
    assert asked == [(8, torch.float64), (11, torch.float32)]
    asked.clear()
    assert check_stack(make_run(batch_size=4)).reason == ""
    assert asked == [(4, torch.float64)]


@pytest.mark.parametrize(("bound", "refused"), [(1e-13, True), (1.0, False)])
def test_the_bound_depends_on_the_precision(make_run, monkeypatch, bound, refused):
    monkeypatch.setattr(stack_check, "_largest_difference", lambda *_: 0.25)
    monkeypatch.setattr(stack_check, "ROUNDING", {torch.float64: bound})
    check = check_stack(make_run())
    assert check == StackCheck(0.25, "as a stack, their first step would differ by 0.25" if refused else "")


def test_rounding_may_differ_by_a_millionth_in_float64_and_a_hundredth_otherwise():
    assert stack_check.ROUNDING[torch.float64] == 1e-6
    assert stack_check.ROUNDING_OTHERWISE == 1e-2


def test_a_module_that_fails_in_every_precision_says_why(make_run):
    def fails(x):
        raise ValueError("not like this. Nor like that.")

    run = make_run(data=images(), model=built(lambda: Draws(fails)))
    assert check_stack(run) == StackCheck(0.0, "not like this")


def test_classes_of_one_name_are_checked_each(make_run, monkeypatch):
    checked = []
    monkeypatch.setattr(stack_check, "_check", lambda run: checked.append(run) or StackCheck())
    for _ in range(2):
        own = type("Own", (nn.Linear,), {"__module__": "mine", "__qualname__": "Own"})
        for seed in range(2):
            check_stack(make_run(init_seed=seed, model=own(5, 3)))
    assert len(checked) == 2


class Silent(nn.Linear):
    def forward(self, x):
        raise KeyError


def test_a_forward_that_fails_is_a_side_effect_by_its_error(make_run):
    assert side_effects(make_run(model=Silent(5, 3))) == "KeyError"


class Sized(nn.Linear):
    sizes = []  # noqa: RUF012 - of the class, whose copies are tried

    def forward(self, x):
        self.sizes.append((len(x), self.training))
        return super().forward(x)


@pytest.mark.parametrize(("batch_size", "samples"), [(4, 4), (8, 8), (11, 8)])
def test_side_effects_are_looked_for_in_training_on_eight_samples(make_run, batch_size, samples):
    Sized.sizes.clear()
    run = make_run(model=Sized(5, 3).eval(), batch_size=batch_size)
    side_effects(run)
    assert Sized.sizes == [(samples, True)]
    assert not run.model.training


def test_what_a_forward_does_besides_its_outputs_is_named():
    model, cpu = nn.Linear(5, 3), torch.device("cpu")
    with refuse_side_effects(model, cpu):
        model(torch.ones(1, 5))
    with (
        pytest.raises(UnstackableError, match=r"draws random numbers \(rand\)"),
        refuse_side_effects(model, cpu),
    ):
        torch.rand(1)
    with (
        pytest.raises(UnstackableError, match="changes one of its attributes"),
        refuse_side_effects(model, cpu),
    ):
        model.calls = 1
    draws = torch.Generator()
    with refuse_side_effects(model, cpu):
        torch.rand(1, generator=draws)  # not a global one


@pytest.mark.parametrize(
    ("evaluated", "at_a_time", "batch_size", "dtype"),
    [(100, 100, 32, torch.float32), (5000, 1000, 7, torch.float64), (1000, 1000, 1, torch.float32)],
)
def test_the_memory_that_training_and_evaluation_take(monkeypatch, evaluated, at_a_time, batch_size, dtype):
    said = []
    monkeypatch.setattr(memory, "check_memory", lambda what, needed, free: said.append((what, needed, free)))
    monkeypatch.setattr(memory, "free_bytes", lambda device: f"free on {device}")
    memory.check_model_memory(
        "linear",
        {},
        (1, 4, 6),
        10,
        batch_size=batch_size,
        evaluated=evaluated,
        dtype=dtype,
        device="cpu",
    )
    parameters, values = 24 * 10 + 10, 24 + (24 + 10)
    training = 4 * parameters + 3 * batch_size * values
    evaluation = 2 * at_a_time * 24 + 3 * evaluated * 10
    ((what, needed, free),) = said
    assert needed == dtype.itemsize * (training + evaluation)
    assert what == f"model.name=linear: with 250 parameters and batches of {batch_size}, training needs"
    assert free == "free on cpu"


def test_a_check_leaves_the_data_as_it_is(make_run):
    run = make_run(data=images(), model=built(lambda: nn.Sequential(nn.ReLU(inplace=True), *flat())))
    before = run.data.train.inputs.clone()
    assert check_stack(run).reason == ""
    assert side_effects(run) == ""
    assert torch.equal(run.data.train.inputs, before)
    assert replace(run).model is run.model


def flat():
    return nn.Flatten(), nn.Linear(36, OUTPUTS)
