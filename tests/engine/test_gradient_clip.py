"""`gradient_clip`: in the loop and in a stack, the numbers of torch.nn.utils.clip_grad_norm_."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlx.engine import loop, stacked
from dlx.engine.loop import clip_gradients, sample_order
from dlx.engine.probes import GradientProbe, Probes


class Net(nn.Module):
    """A module whose forward is its own: its passes are autograd's, and its stack is vmap's."""

    def __init__(self):
        super().__init__()
        self.hidden, self.output = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, inputs):
        return self.output(self.hidden(inputs).sin())


@pytest.mark.parametrize("largest", [1e-3, 1.0, 1e6])
def test_gradients_are_scaled_as_torch_scales_those_of_parameters(largest):
    draws = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((4, 3), (7,), ())]
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=draws)
    ours = [parameter.grad.clone() for parameter in parameters]
    torch.nn.utils.clip_grad_norm_(parameters, largest)
    clip_gradients(ours, largest)
    assert all(torch.equal(one, parameter.grad) for one, parameter in zip(ours, parameters, strict=True))
    assert torch.cat([one.flatten() for one in ours]).norm() <= largest * (1 + 1e-6)


@pytest.mark.parametrize("model", [None, Net()], ids=["kept memory", "autograd"])
def test_the_loop_takes_the_steps_of_a_plain_loop_with_clip_grad_norm(make_run, model):
    run = make_run(gradient_clip=1.0, **({} if model is None else {"model": copy.deepcopy(model)}))
    plain = copy.deepcopy(run.model)
    adam = torch.optim.Adam(plain.parameters(), lr=0.05, fused=True)
    norms = []
    for epoch in range(1, run.epochs + 1):
        for index in torch.split(sample_order(run, epoch), run.batch_size):
            inputs, labels = run.data.train.batch(index)
            adam.zero_grad()
            F.cross_entropy(plain(inputs), labels).backward()
            norms.append(float(torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)))
            adam.step()
    list(loop.train(run))
    assert min(norms) < 1.0 < max(norms), "some steps are clipped, and some are not"
    for ours, theirs in zip(run.model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("model", [None, Net()], ids=["layers", "vmap"])
def test_members_of_a_stack_are_clipped_each_by_its_own_norm(make_run, model):
    clips = [0.05, 0.3, None, 0.3]

    def runs():
        given = [{} if model is None else {"model": copy.deepcopy(model)} for _ in clips]
        return [make_run(init_seed=i, gradient_clip=clip, **given[i]) for i, clip in enumerate(clips)]

    alone, together = runs(), runs()
    for run in alone:
        list(loop.train(run))
    list(stacked.train(together, set(range(len(clips)))))
    for one, other in zip(alone, together, strict=True):
        for ours, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    weights = [run.model.state_dict() for run in together]
    assert not torch.allclose(
        weights[1][next(iter(weights[1]))], runs()[1].model.state_dict()[next(iter(weights[1]))]
    )


def test_a_clip_that_is_never_reached_changes_no_bit(make_run):
    free, clipped = make_run(), make_run(gradient_clip=1e6)
    for run in (free, clipped):
        list(loop.train(run))
    pairs = zip(free.model.parameters(), clipped.model.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


def test_the_gradient_probe_records_gradients_as_they_are_before_clipping(make_run):
    seen = []
    for clip in (None, 1e-4):
        run = make_run(gradient_clip=clip, epochs=1)
        run = replace(
            run,
            probes=Probes(gradients=GradientProbe(dict(run.model.named_parameters()))),
            optimizers=[torch.optim.SGD(run.model.parameters(), lr=0.0)],
        )
        run.optimizers[0].param_groups[0]["initial_lr"] = 0.0
        seen.append([end.observed.tables for end in loop.train(run)])
    assert seen[0] == seen[1]
    assert seen[0][-1]
