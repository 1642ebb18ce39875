"""What a run, an epoch's end and a probe are if nothing else is said."""

import torch

from dlx.engine.probes import ProbeResults, Probes
from dlx.engine.run import EpochEnd, Monitored, nothing
from dlx.engine.stack_check import StackCheck
from dlx.execution import Execution


def test_a_run_has_nothing_that_was_not_asked_for(make_run):
    run = make_run()
    assert (run.layers, run.task, run.metrics, run.hooks, run.notices) == ((), "classification", (), (), ())
    assert run.monitor == Monitored("val_accuracy", higher=True)
    assert (run.probes, run.execution) == (Probes(), Execution())
    assert (run.sample_weights, run.gradient_clip) == (None, None)
    assert run.classifies
    assert not make_run(task="regression").classifies


def test_parameters_that_are_trained_are_counted(make_run):
    run = make_run()
    assert run.parameter_count == 5 * 8 + 8 + 8 * 3 + 3
    next(run.model.parameters()).requires_grad_(requires_grad=False)
    assert run.parameter_count == 8 + 8 * 3 + 3


def test_no_probe_is_on(make_run):
    run, probes = make_run(), Probes()
    assert (probes.layers, probes.gradients, probes.steps, probes.train_sample) == (None,) * 4
    assert (probes.classes, probes.logits, probes.images) == (False, (), 0)
    assert not probes.in_steps
    assert probes.on_output("training") is None
    outputs = torch.zeros(10, 3)
    assert probes.epoch_end(1, run.data, run.loss, outputs, None) == ProbeResults({}, {}, None)


def test_an_epoch_that_ends_has_no_more_columns(make_run):
    end = EpochEnd(None, torch.zeros(1, 1))
    assert (end.extra, end.observed, end.settle) == ({}, ProbeResults(), nothing)


def test_a_stack_that_was_not_refused_has_no_reason():
    assert StackCheck() == StackCheck(0.0, "")
