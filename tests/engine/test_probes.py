"""Probes record what direct computations give, in agreement with the run's own numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dlx import rng
from dlx.engine.evaluation import evaluate
from dlx.engine.loop import train
from dlx.engine.probes import GradientProbe, LayerProbe, Probes, StepProbe
from dlx.loss.losses import losses
from dlx.run.probes import CLASSES, GRADIENTS, LAYERS, STEPS


def probed(make_run, *, on, **changes):
    """A run of `make_run` with the probes that `on(run)` returns, and the reports of its epochs."""
    run = make_run(**changes)
    run = replace(run, probes=Probes(**on(run)))
    return run, list(train(run))


def batches(run, epoch):
    order = torch.randperm(len(run.data.train), generator=rng.generator(run.seeds.order, "order", epoch))
    return order.split(run.batch_size)


def test_layer_statistics_match_a_direct_computation(make_run):
    reference = make_run()
    _, ends = probed(make_run, on=lambda run: {"layers": LayerProbe(run.model)})
    rows = {row[:3]: row[3:] for end in ends for row in end.observed.tables[LAYERS]}
    assert [key[1] for key in rows if key[0] == 0] == ["validation"] * len(list(reference.model))

    model, optimizer = reference.model, torch.optim.Adam(reference.model.parameters(), lr=0.05)
    data = reference.data
    for epoch in (1, 2):
        outputs = {name: [] for name, _ in model.named_children()}
        for index in batches(reference, epoch):
            x = data.train.inputs[index]
            for name, layer in model.named_children():
                x = layer(x)
                outputs[name].append(x.detach().double().numpy().ravel())
            optimizer.zero_grad()
            F.cross_entropy(x, data.train.labels[index]).backward()
            optimizer.step()
        x = data.val.inputs
        for name, layer in model.named_children():
            x = layer(x)
            by_phase = {"training": np.concatenate(outputs[name]), "validation": x.detach().double().numpy()}
            for phase, values in by_phase.items():
                expected = (values.mean(), np.abs(values).mean(), values.std())
                kind, *got = rows[epoch, phase, name]
                assert kind == type(layer).__name__
                assert got == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_gradients_match_autograds_in_each_step(make_run):
    """One epoch of two SGD steps without momentum, repeated by hand."""
    reference = make_run()
    parameters = dict(reference.model.named_parameters())
    expected = dict.fromkeys(parameters, 0.0)
    for index in batches(make_run(batch_size=11), 1):
        x, y = reference.data.train.inputs[index], reference.data.train.labels[index]
        gradients = torch.autograd.grad(F.cross_entropy(reference.model(x), y), list(parameters.values()))
        for (name, weight), gradient in zip(parameters.items(), gradients, strict=True):
            expected[name] += float(gradient.abs().mean()) / 2
            weight.data.sub_(0.5 * gradient)
    model = make_run().model
    sgd = torch.optim.SGD(model.parameters(), lr=0.5)
    sgd.param_groups[0]["initial_lr"] = 0.5
    probe = GradientProbe(dict(model.named_parameters()))
    run = make_run(model=model, optimizers=[sgd], batch_size=11, epochs=1, probes=Probes(gradients=probe))
    first, last = (end.observed.tables[GRADIENTS] for end in train(run))
    assert [(row[1], row[2]) for row in first] == [(name, None) for name in parameters]
    for epoch, name, gradient, weight in last:
        assert epoch == 1
        assert gradient == pytest.approx(expected[name], rel=1e-5)
        assert weight == pytest.approx(float(parameters[name].detach().abs().mean()), rel=1e-5)


def test_steps_count_from_1_and_average_to_the_historys_loss(make_run):
    _, ends = probed(make_run, on=lambda run: {"steps": StepProbe()}, batch_size=11)
    tables = [end.observed.tables[STEPS] for end in ends]
    assert [[step for step, _ in table] for table in tables] == [[], [1, 2], [3, 4], [5, 6]]
    for end, table in zip(ends[1:], tables[1:], strict=True):
        assert np.mean([loss for _, loss in table]) == pytest.approx(end.row.train_loss, rel=0, abs=1e-12)


def test_a_smaller_last_batch_has_its_own_mean(make_run):
    _, ends = probed(make_run, on=lambda run: {"steps": StepProbe()}, batch_size=20)
    for end in ends[1:]:
        (_, full), (_, rest) = end.observed.tables[STEPS]
        assert (20 * full + 2 * rest) / 22 == pytest.approx(end.row.train_loss, rel=0, abs=1e-12)


def test_class_accuracies_average_to_the_accuracy_and_a_missing_class_has_none(make_run):
    plain = make_run()
    val = plain.data.val
    labels = val.labels.clone()
    labels[labels == 2] = 1  # no validation sample of class "c"
    data = replace(plain.data, val=replace(val, labels=labels))
    _, ends = probed(make_run, on=lambda run: {"classes": True}, data=data)
    for end in ends:
        rows = end.observed.tables[CLASSES]
        assert [row[:2] for row in rows] == [(end.row.epoch, name) for name in ("a", "b", "c")]
        assert [row[2] for row in rows] == torch.bincount(labels, minlength=3).tolist()
        assert rows[2][3] is None
        right = sum(samples * accuracy for *_, samples, accuracy in rows[:2])
        assert right / len(labels) == pytest.approx(end.row.val_accuracy, abs=1e-12)
        predicted = end.val_outputs_NK.argmax(1)
        assert rows[0][3] == pytest.approx((predicted[labels == 0] == 0).double().mean().item())


def test_training_samples_are_evaluated_at_the_end_of_each_epoch(make_run):
    def on(run):
        return {"train_sample": run.data.train, "logits": {2}}

    run, ends = probed(make_run, on=on, model_arguments={"sizes": [8], "dropout": 0.5})
    assert [set(end.extra) for end in ends] == [{"train_end_loss", "train_end_accuracy"}] * 4
    outputs, (loss, accuracy) = evaluate(run, run.data.train, 3)
    assert (ends[-1].extra["train_end_loss"], ends[-1].extra["train_end_accuracy"]) == (loss, accuracy)
    run.model.eval()
    assert torch.equal(run.model(run.data.train.inputs), outputs)
    assert [end.observed.train_outputs_NK is not None for end in ends] == [False, False, True, False]


def test_logits_are_the_outputs_at_the_end_of_the_epoch(make_run):
    run, ends = probed(make_run, on=lambda run: {"logits": {1}}, epochs=1)
    expected = run.model(run.data.train.inputs).detach()
    assert torch.equal(ends[1].observed.train_outputs_NK, expected)


def test_evaluations_for_probes_do_not_count_as_validation(make_run):
    def layers(**more):
        return lambda run: {"layers": LayerProbe(run.model), **{k: v(run) for k, v in more.items()}}

    alone = probed(make_run, on=layers())[1]
    beside = probed(make_run, on=layers(train_sample=lambda run: run.data.train, logits=lambda _: {1, 3}))[1]
    assert [e.observed.tables[LAYERS] for e in alone] == [e.observed.tables[LAYERS] for e in beside]


@pytest.mark.parametrize("name", ["binary_cross_entropy", "mean_squared_error"])
def test_probes_work_with_other_losses(make_run, name):
    loss = losses.build(name, {"reduction": "sum"})
    plain = make_run(loss=loss)
    data, outputs = plain.data, 3
    if name == "binary_cross_entropy":  # one output for two classes
        two = {name: getattr(data, name).labels.clamp(max=1) for name in ("train", "val")}
        splits = {name: replace(getattr(data, name), labels=labels) for name, labels in two.items()}
        data = replace(data, classes=("a", "b"), **splits)
        outputs = 1
    model = torch.nn.Sequential(torch.nn.Linear(5, outputs))
    on = {"classes": True, "steps": StepProbe(), "train_sample": data.train}
    ends = list(train(make_run(model=model, data=data, loss=loss, batch_size=11, probes=Probes(**on))))
    for end in ends[1:]:
        steps, classes = end.observed.tables[STEPS], end.observed.tables[CLASSES]
        assert np.mean([step[1] for step in steps]) == pytest.approx(end.row.train_loss, abs=1e-12)
        right = sum(row[2] * row[3] for row in classes)
        assert right / len(data.val) == pytest.approx(end.row.val_accuracy, abs=1e-12)
    last = loss.per_sample(model(data.train.inputs), data.train.labels)
    assert ends[-1].extra["train_end_loss"] == pytest.approx(last.mean().item(), rel=1e-6)


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values))


def test_the_mean_over_steps_and_the_weight_at_the_end():
    weight, idle, frozen = parameter(1.0, -2.0), parameter(3.0), parameter(-4.0).requires_grad_(False)
    probe = GradientProbe({"weight": weight, "idle": idle, "frozen": frozen})
    assert probe.rows(0) == [(0, "weight", None, 1.5), (0, "idle", None, 3.0), (0, "frozen", None, 4.0)]
    for factors in ((1.0, -3.0), (5.0, 0.0)):
        weight.grad = None
        (weight * torch.tensor(factors)).sum().backward()
        probe.step()
    with torch.no_grad():
        weight += 1
    assert probe.rows(1)[0] == (1, "weight", (2.0 + 2.5) / 2, 1.5)
    assert probe.rows(2)[0] == (2, "weight", None, 1.5)


def test_a_parameter_without_a_gradient_in_some_steps_is_averaged_over_the_others():
    weight = parameter(1.0)
    probe = GradientProbe({"weight": weight})
    probe.step()
    weight.grad = torch.tensor([-6.0])
    probe.step()
    assert probe.rows(1) == [(1, "weight", 6.0, 1.0)]


def test_sparse_gradients_count_their_zeros():
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    probe = GradientProbe({"weight": embedding.weight})
    embedding(torch.tensor([1, 1])).sum().backward()
    probe.step()
    assert probe.rows(1)[0][2] == pytest.approx(4 / 8)
