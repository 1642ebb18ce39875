"""Members of a stack step as their own optimizers would step them, together or one by one."""

import pytest
import torch
import torch.nn.functional as F

from dlx.engine.stacked_by_layers import LayerStack
from dlx.engine.stacked_optimizers import StackedOptimizers, joint_step_key
from dlx.model.models import models
from dlx.optimizer.optimizers import optimizers

SETTINGS = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "adam": {"lr": 0.01, "betas": [0.9, 0.99], "eps": 1e-8, "weight_decay": 0.01},
    "adamw": {"lr": 0.01, "betas": [0.9, 0.99], "eps": 1e-8, "weight_decay": 0.01},
    "rmsprop": {
        "lr": 0.01,
        "alpha": 0.99,
        "eps": 1e-8,
        "momentum": 0.5,
        "centered": True,
        "weight_decay": 0.0,
    },
    "adagrad": {"lr": 0.1, "lr_decay": 0.01, "eps": 1e-10, "weight_decay": 0.0},
    "muon": {
        "lr": 0.01,
        "momentum": 0.9,
        "nesterov": True,
        "ns_steps": 5,
        "betas": [0.9, 0.99],
        "weight_decay": 0.0,
    },
}
BATCH = 6


@pytest.fixture(autouse=True)
def _one_thread():
    """Models this small only wait for a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def member(name, seed, **changes):
    """A float64 model and its optimizers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = models.build("mlp", {"sizes": [7, 5]}, input_shape=(5,), outputs=4).double()
    return model, optimizers.build(name, SETTINGS[name] | changes, parameters=list(model.parameters()))


def team():
    """For every rule two members with equal settings, and one with its own learning rate."""
    members = []
    for name in SETTINGS:
        members += [member(name, 0), member(name, 1), member(name, 2, lr=0.003)]
    return members


def loss_of(model, row, step):
    draws = torch.Generator().manual_seed(1000 * step + row)
    x = torch.randn(BATCH, 5, generator=draws, dtype=torch.float64)
    return x, torch.randint(0, 4, (BATCH,), generator=draws)


def take_steps(members, stack, steps, first, last):
    for step in range(first, last):
        pairs = [loss_of(model, row, step) for row, (model, _) in enumerate(members)]
        out = stack(torch.stack([x for x, _ in pairs]))
        labels = torch.stack([labels for _, labels in pairs])
        losses = F.cross_entropy(out.flatten(0, 1), labels.flatten(), reduction="none")
        losses.view(len(members), BATCH).mean(1).sum().backward()
        steps.take_gradients()
        steps.set_learning_rates()
        steps.step()


def joint(members):
    stack = LayerStack([model for model, _ in members])
    own = [built for _, built in members]
    return stack, StackedOptimizers(stack, own, [joint_step_key(built) for built in own])


@pytest.mark.slow
def test_a_hundred_steps_equal_those_of_the_runs_own_optimizers_when_the_stack_is_rebuilt_midway():
    alone, members = team(), team()
    for step in range(100):
        for row, (model, built) in enumerate(alone):
            x, labels = loss_of(model, row, step)
            F.cross_entropy(model(x), labels).backward()
            for optimizer in built:
                optimizer.step()
                optimizer.zero_grad()
    stack, steps = joint(members)
    take_steps(members, stack, steps, 0, 60)
    steps.restore_states()
    stack, steps = joint(members)  # as when runs leave: from the optimizers' own states
    take_steps(members, stack, steps, 60, 100)
    for (model, _), (own, _) in zip(members, alone, strict=True):
        for key, value in own.state_dict().items():
            torch.testing.assert_close(model.state_dict()[key], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
def test_restored_optimizers_have_the_state_they_would_have_alone(name):
    alone, members = [[member(name, 0), member(name, 1)] for _ in range(2)]
    for row, (model, built) in enumerate(alone):
        x, labels = loss_of(model, row, 0)
        F.cross_entropy(model(x), labels).backward()
        for optimizer in built:
            optimizer.step()
    stack, steps = joint(members)
    take_steps(members, stack, steps, 0, 1)
    steps.restore_states()
    for (_, built), (_, own) in zip(members, alone, strict=True):
        for optimizer, other in zip(built, own, strict=True):
            got, expected = optimizer.state_dict()["state"], other.state_dict()["state"]
            assert got.keys() == expected.keys()
            for index, state in expected.items():
                assert got[index].keys() == state.keys()
                for key, value in state.items():
                    torch.testing.assert_close(got[index][key], value, rtol=1e-9, atol=1e-12)


def test_rules_that_are_not_elementwise_step_alone():
    assert joint_step_key(member("muon", 0)[1]) is None
    assert joint_step_key(member("adam", 0)[1]) == joint_step_key(member("adam", 1)[1])
    assert joint_step_key(member("adam", 0)[1]) != joint_step_key(member("adam", 1, lr=0.003)[1])
    assert joint_step_key(member("adam", 0)[1]) != joint_step_key(member("adamw", 0)[1])


def test_a_parameter_that_a_step_does_not_reach_keeps_its_value():
    members = [member("sgd", 0), member("sgd", 1)]
    stack, steps = joint(members)
    take_steps(members, stack, steps, 0, 1)
    before = stack.body.output.weight.detach().clone()
    steps.take_gradients()  # without a backward pass before
    steps.step()
    assert torch.equal(stack.body.output.weight, before)


@pytest.mark.parametrize("first", [0, 1])
def test_rows_that_step_together_leave_their_neighbours_to_themselves(first):
    """Two rows step together, after or before one that steps alone."""
    rates = [0.01, 0.01, 0.01]
    rates[2 if first == 0 else 0] = 0.003
    alone, members = [[member("sgd", row, lr=rate) for row, rate in enumerate(rates)] for _ in range(2)]
    for step in range(3):
        for row, (model, (optimizer,)) in enumerate(alone):
            x, labels = loss_of(model, row, step)
            F.cross_entropy(model(x), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
    stack, steps = joint(members)
    assert steps.first_rows == ([0, 2] if first == 0 else [0, 1])
    assert len(steps.stepping) == 2
    take_steps(members, stack, steps, 0, 3)
    for (model, _), (own, _) in zip(members, alone, strict=True):
        for key, value in own.state_dict().items():
            torch.testing.assert_close(model.state_dict()[key], value, rtol=1e-9, atol=1e-12)


def test_states_are_restored_once_after_a_step():
    """Each run of a stack asks for it at the end of an epoch."""
    members = [member("adam", 0), member("adam", 1)]
    stack, steps = joint(members)
    steps.restore_states()
    assert not any(members[0][1][0].state.values())
    take_steps(members, stack, steps, 0, 1)
    steps.restore_states()
    parameter = next(members[0][0].parameters())
    restored = members[0][1][0].state[parameter]
    steps.restore_states()
    assert members[0][1][0].state[parameter] is restored
    take_steps(members, stack, steps, 1, 2)
    steps.restore_states()
    assert members[0][1][0].state[parameter]["step"] == 2


def test_the_learning_rates_of_the_first_row_count_for_those_that_step_together():
    members = [member("sgd", 0, momentum=0.0, nesterov=False, weight_decay=0.0) for _ in range(2)]
    stack, steps = joint(members)
    members[0][1][0].param_groups[0]["lr"] = 0.5
    before = [{key: value.clone() for key, value in model.state_dict().items()} for model, _ in members]
    gradients = []
    take = steps.take_gradients

    def take_gradients():
        gradients.extend((parameter, parameter.grad.clone()) for parameter, _ in stack.shares)
        take()

    steps.take_gradients = take_gradients
    take_steps(members, stack, steps, 0, 1)
    names = list(before[0])
    for name, (_, gradient) in zip(names, gradients, strict=True):
        for row, (model, _) in enumerate(members):
            expected = before[row][name] - 0.5 * gradient[row]
            torch.testing.assert_close(model.state_dict()[name], expected)


def test_the_stacks_gradients_are_cleared_when_they_are_taken():
    members = [member("sgd", 0), member("sgd", 1)]
    stack, steps = joint(members)
    take_steps(members, stack, steps, 0, 1)
    assert all(parameter.grad is None for parameter, _ in stack.shares)
