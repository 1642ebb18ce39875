"""When a layer's outputs are measured, in which memory; what probes report, and where they go on."""

import math
from contextlib import nullcontext

import pytest
import torch

from dlx.engine import probes
from dlx.engine.model_summary import LayerSummary, named_layers, summarise_layers
from dlx.engine.probes import LayerProbe, Moments, Probes, Scratch, StepProbe
from dlx.run.probes import LAYERS, STEPS


def test_small_pieces_are_measured_together_and_large_ones_at_once(monkeypatch):
    measured = []
    monkeypatch.setattr(probes, "GATHERED", 10)
    monkeypatch.setattr(Moments, "_measure", lambda self, values: measured.append(len(values)))
    moments = Moments(Scratch())
    for size, so_far in ((4, []), (5, []), (1, [10]), (10, [10, 10]), (9, [10, 10]), (12, [10, 10, 12])):
        moments.add(torch.zeros(size))
        assert measured == so_far


def test_a_value_that_is_not_finite_raises_nothing():
    moments = Moments(Scratch())
    moments.add(torch.tensor([1e38, -1e38], dtype=torch.float64) * 1e200)
    assert not math.isfinite(moments.take()[2])


def test_scratch_memory_is_shared_while_it_fits():
    scratch = Scratch()
    first = scratch.like(torch.zeros(8))
    assert (first.shape, first.dtype) == ((8,), torch.float32)
    assert scratch.like(torch.zeros(8)).data_ptr() == first.data_ptr()
    smaller = scratch.like(torch.zeros(3))
    assert (smaller.shape, smaller.data_ptr()) == ((3,), first.data_ptr())
    larger = scratch.like(torch.zeros(9))
    assert larger.shape == (9,)
    assert scratch.like(torch.zeros(9)).data_ptr() == larger.data_ptr()
    assert scratch.like(torch.zeros(4, dtype=torch.float64)).dtype == torch.float64


def test_layers_are_reported_by_phase_in_the_order_of_the_model():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh())
    probe = LayerProbe(model)
    validation, training = probe.on_output("validation"), probe.on_output("training")
    validation("1", torch.tensor([1.0, 3.0]))
    validation("0", torch.tensor([2.0, 2.0]))
    training("1", torch.tensor([-1.0]))
    assert probe.rows(4) == [
        (4, "training", "1", "Tanh", -1.0, 1.0, 0.0),
        (4, "validation", "0", "Linear", 2.0, 2.0, 0.0),
        (4, "validation", "1", "Tanh", 2.0, 2.0, pytest.approx(1.0)),
    ]
    assert probe.rows(5) == []


def test_probes_watch_a_model_only_for_its_layers():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert isinstance(Probes().watch("training", model), nullcontext)
    on = Probes(layers=LayerProbe(model))
    with on.watch("training", model):
        model(torch.ones(1, 2))
    model(torch.ones(1, 2))
    assert [row[:3] for row in on.layers.rows(1)] == [(1, "training", "0")]


def test_steps_go_on_counting_and_are_means_over_their_samples(make_run):
    run, probe = make_run(), StepProbe()
    on = Probes(steps=probe)
    on.continue_after(12)
    on.after_backward(torch.tensor([1.0, 3.0]))
    on.after_backward(torch.tensor([5.0]))
    results = on.epoch_end(3, run.data, run.loss, torch.zeros(10, 3), None)
    assert results.tables == {STEPS: [(13, 2.0), (14, 5.0)]}
    assert probe.rows() == []
    on.after_backward(torch.tensor([4.0]))
    assert probe.rows() == [(15, 4.0)]
    Probes().continue_after(3)  # nothing is on


def test_each_probe_alone_has_its_own_table(make_run):
    run = make_run()
    on = Probes(layers=LayerProbe(run.model))
    assert list(on.epoch_end(0, run.data, run.loss, torch.zeros(10, 3), None).tables) == [LAYERS]
    assert (on.in_steps, Probes(steps=StepProbe()).in_steps, Probes(gradients=object()).in_steps) == (
        False,
        True,
        True,
    )


def test_shared_and_frozen_parameters_count_once_and_not_at_all():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3), torch.nn.Linear(3, 2))
    model[1].weight = model[0].weight
    model[2].bias.requires_grad_(requires_grad=False)
    assert summarise_layers(model, {"0": (3,)}) == [
        LayerSummary("0", "Linear", (3,), 12),
        LayerSummary("1", "Linear", None, 3),
        LayerSummary("2", "Linear", None, 6),
    ]


def test_a_model_that_is_one_layer_is_named_as_the_model():
    assert list(named_layers(torch.nn.Linear(2, 2))) == ["(model)"]
    assert list(named_layers(torch.nn.Sequential(torch.nn.Linear(2, 2)))) == ["0"]
