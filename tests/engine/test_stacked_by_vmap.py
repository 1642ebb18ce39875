"""vmap computes for each member what it computes alone: outputs, gradients, buffers, masks."""

import pytest
import torch
from torch import nn

from dlx.engine.model_summary import watch_layers
from dlx.engine.stacked_by_vmap import VmapStack
from dlx.engine.stacked_model import UnstackableError
from dlx.model.models import Dropout, use_generator
from tests.engine.own_nets import SHAPE, STACKED, Dropped, Norms, built

MEMBERS, BATCH = 3, 5


def inputs():
    draws = torch.Generator().manual_seed(1)
    return torch.randn(MEMBERS, BATCH, *SHAPE, generator=draws, dtype=torch.float64)


def generators():
    return [torch.Generator().manual_seed(row) for row in range(MEMBERS)]


def members(make):
    return [built(make, seed).double() for seed in range(MEMBERS)]


@pytest.mark.parametrize("name", STACKED)
def test_two_steps_give_what_they_give_alone(name):
    alone, stacked = members(STACKED[name]), members(STACKED[name])
    stack = VmapStack(stacked)
    stack.use_generators(generators())
    for model, generator in zip(alone, generators(), strict=True):
        use_generator(model, generator)
    for _ in range(2):
        out = stack(inputs())
        out.square().sum().backward()
        for row, model in enumerate(alone):
            own = model(inputs()[row])
            torch.testing.assert_close(out[row], own, rtol=1e-10, atol=1e-10)
            own.square().sum().backward()
    assert not torch.allclose(out[0], out[1]), "members must differ"
    for row, model in enumerate(alone):
        for (whole, _), parameter in zip(stack.shares, model.parameters(), strict=True):
            torch.testing.assert_close(whole.grad[row], parameter.grad, rtol=1e-9, atol=1e-9)
        for buffer, own in zip(stacked[row].buffers(), model.buffers(), strict=True):
            torch.testing.assert_close(buffer, own, rtol=1e-10, atol=1e-10)


def test_members_with_different_dropout_probabilities_draw_different_masks():
    stack = VmapStack([nn.Sequential(Dropout(p), nn.Flatten()) for p in (0.0, 0.5, 0.9)])
    stack.use_generators(generators())
    kept = (stack(torch.ones(3, 10, 100)) != 0).double().mean((1, 2))
    assert kept[0] == 1
    assert kept[1].item() == pytest.approx(0.5, abs=0.06)  # four standard deviations of 1000 draws
    assert kept[2].item() == pytest.approx(0.1, abs=0.04)


def test_the_stack_sees_changes_to_the_members_parameters_and_they_its_buffers():
    models = members(Norms)
    stack = VmapStack(models)
    before = stack(inputs())
    assert [int(model.batch.num_batches_tracked) for model in models] == [1, 1, 1]
    with torch.no_grad():
        models[1].out.bias.add_(1)
    torch.testing.assert_close(stack(inputs())[1], before[1] + 1)


@pytest.mark.parametrize("make", [Norms, Dropped])
def test_layers_are_watched_as_they_are_alone(make):
    def collect(into):
        return lambda layer, output: into.append((layer, output.clone()))

    stack, seen, expected = VmapStack(members(make)), [[], []], [[], []]
    stack.use_generators(generators())
    with stack.watch([collect(seen[0]), None, collect(seen[1])]):
        stack(inputs())
    for row, into in ((0, expected[0]), (2, expected[1])):
        model = members(make)[row]
        use_generator(model, generators()[row])
        with watch_layers(model, collect(into)):
            model(inputs()[row])
    for mine, own in zip(seen, expected, strict=True):
        assert [layer for layer, _ in mine] == [layer for layer, _ in own]
        for (layer, output), (_, alone) in zip(mine, own, strict=True):
            torch.testing.assert_close(output, alone, rtol=1e-10, atol=1e-10, msg=layer)
    assert stack(inputs()).shape == (MEMBERS, BATCH, 3)  # and no longer


def test_a_model_that_cannot_be_copied_is_refused():
    class Alone(nn.Linear):
        def __deepcopy__(self, memo):
            raise TypeError("there is only one")

    with pytest.raises(UnstackableError, match="cannot be copied"):
        VmapStack([Alone(2, 2), Alone(2, 2)])
