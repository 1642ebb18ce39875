"""An optimizer without the compiler takes the same steps, to the last bit, and keeps the same state."""

import subprocess
import sys

import pytest
import torch

from dlx.optimizer.eager import eager
from dlx.optimizer.optimizers import optimizers

KINDS = {
    torch.optim.SGD: {"lr": 0.1, "momentum": 0.9, "fused": True},
    torch.optim.Adam: {"lr": 0.1, "fused": True},
    torch.optim.AdamW: {"lr": 0.1, "weight_decay": 0.1},
    torch.optim.Adagrad: {"lr": 0.1},
    torch.optim.RMSprop: {"lr": 0.1, "momentum": 0.5, "foreach": True},
    torch.optim.Muon: {"lr": 0.1},
}


def steps(optimizer, parameter, count):
    for step in range(count):
        parameter.grad = torch.linspace(-1, 1, 12).view(3, 4) * (step + 1) + parameter.detach()
        optimizer.step()
        optimizer.zero_grad()
        assert parameter.grad is None


@pytest.mark.parametrize("kind", KINDS)
def test_steps_and_state_are_those_of_torchs_own(kind):
    ours, theirs = (torch.nn.Parameter(torch.ones(3, 4)) for _ in range(2))
    own, reference = eager(kind)([ours], **KINDS[kind]), kind([theirs], **KINDS[kind])
    steps(own, ours, 3)
    steps(reference, theirs, 3)
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, torch.ones(3, 4))
    taken_up = eager(kind)([ours], **KINDS[kind])
    taken_up.load_state_dict(reference.state_dict())  # either way, as in checkpoints of an earlier dlx
    reference.load_state_dict(own.state_dict())
    steps(taken_up, ours, 2)
    steps(reference, theirs, 2)
    assert torch.equal(ours, theirs)
    assert str(own) == str(reference)


def test_a_second_parameter_group_works_as_in_torch():
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = eager(torch.optim.SGD)([first], lr=0.5)
    optimizer.add_param_group({"params": [second], "lr": 0.25})
    first.grad = second.grad = torch.ones(2)
    optimizer.step()
    assert (first.tolist(), second.tolist()) == ([0.5, 0.5], [0.75, 0.75])


# Which of three parameters have a gradient in each step: all, some, one that had none before, a sparse one.
GRADIENTS = {
    "all": ["012", "012", "012"],
    "some": ["012", "01", "12", "012"],
    "late": ["01", "01", "012", "012"],
    "sparse": ["012", "012", "s12", "012"],
    "float64": ["012", "0123", "0123"],
}


@pytest.mark.parametrize("steps", GRADIENTS)
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_each_parameters_steps_are_counted_as_in_torch(kind, steps):
    def train(built):
        parameters = [torch.nn.Parameter(torch.ones(3) * n, requires_grad=True) for n in range(1, 4)]
        parameters.append(torch.nn.Parameter(torch.ones(2, dtype=torch.float64)))
        optimizer = built([{"params": parameters[:2], "lr": 0.5}, {"params": parameters[2:]}], **keys)
        errors = []
        for given in GRADIENTS[steps]:
            for parameter in parameters:
                parameter.grad = None
            for index in given.replace("s", "0"):
                parameters[int(index)].grad = parameters[int(index)].detach() * 0.1
            if "s" in given:
                parameters[0].grad = parameters[0].grad.to_sparse()
            try:
                optimizer.step()
            except RuntimeError as error:
                errors.append(str(error))
        return parameters, str(optimizer.state_dict()), errors

    keys = {"lr": 0.1, "weight_decay": 0.1, "fused": True}
    (ours, state, errors), (theirs, reference, expected) = train(eager(kind)), train(kind)
    assert all(map(torch.equal, ours, theirs))
    assert (state, errors) == (reference, expected)
    assert bool(errors) == (steps == "sparse")


def test_a_step_draws_no_graph_although_gradients_are_on():
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = eager(torch.optim.Adam)([parameter], lr=0.1, amsgrad=True)
    parameter.grad = torch.ones(2)
    optimizer.step()
    assert torch.is_grad_enabled()
    assert not any(value.requires_grad for value in optimizer.state[parameter].values())


EACH_OPTIMIZER = """
import sys, torch
from dlx.compose.request import compose_one
from dlx.optimizer.optimizers import optimizers

for name in optimizers.builders():
    own = ["optimizer.target=torch.optim:SGD", "optimizer.lr=0.1"]
    settings = compose_one(own if name == "custom" else [f"optimizer={name}"]).optimizer
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,))]
    for optimizer in optimizers.build(name, settings.arguments, parameters=parameters):
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
    print(name, "torch._dynamo" in sys.modules)
"""


def test_no_optimizer_of_dlx_makes_torch_import_its_compiler():
    done = subprocess.run([sys.executable, "-c", EACH_OPTIMIZER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _ in lines] == list(optimizers.builders())
    assert {imported for _, imported in lines} == {"False"}
