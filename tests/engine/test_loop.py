"""The loop equals a plain training loop, and its random draws are independent of each other."""

import pytest
import torch
import torch.nn.functional as F

from dlx import rng
from dlx.augment.transforms import build_augment
from dlx.engine.loop import clip_gradients, draw_order, sample_order, sizes, train
from dlx.engine.run import Position, Seeds
from dlx.metrics.metrics import Metric


def rows(run):
    return [end.row for end in train(run)]


def timeless(run):
    """The history without `time`, as values that can be compared."""
    return [
        (r.epoch, r.step, r.lr, r.train_loss, r.train_accuracy, r.val_loss, r.val_accuracy) for r in rows(run)
    ]


def test_an_epoch_equals_a_plain_training_loop(make_run):
    run, reference = make_run(), make_run()
    got = rows(run)
    model, optimizer = reference.model, torch.optim.Adam(reference.model.parameters(), lr=0.05)
    x, y = reference.data.train.inputs, reference.data.train.labels
    for epoch in (1, 2, 3):
        order = torch.randperm(22, generator=rng.generator(0, "order", epoch))
        losses, correct = [], 0
        for index in order.split(4):
            outputs = model(x[index])
            loss = F.cross_entropy(outputs, y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()] * len(index)
            correct += (outputs.argmax(1) == y[index]).sum().item()
        with torch.no_grad():
            outputs = model(reference.data.val.inputs)
        assert got[epoch].train_loss == pytest.approx(sum(losses) / 22, rel=1e-6)
        assert got[epoch].train_accuracy == correct / 22
        expected = F.cross_entropy(outputs, reference.data.val.labels).item()
        assert got[epoch].val_loss == pytest.approx(expected, rel=1e-5)
        assert got[epoch].step == epoch * 6


def test_epoch_0_is_before_training_and_has_no_training_columns(make_run):
    first = rows(make_run())[0]
    assert (first.epoch, first.step, first.train_loss, first.train_accuracy, first.lr) == (
        0,
        0,
        None,
        None,
        None,
    )
    assert first.val_loss is not None


def test_repeats_are_bit_identical_and_leave_the_global_random_state_alone(make_run):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = timeless(make_run(model_arguments={"sizes": [8], "dropout": 0.5}))
    torch.rand(3)
    assert first == timeless(make_run(model_arguments={"sizes": [8], "dropout": 0.5}))
    torch.set_rng_state(before)
    timeless(make_run(model_arguments={"sizes": [8], "dropout": 0.5}))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("purpose", ["order", "augment", "dropout"])
def test_each_seed_changes_only_its_own_source_of_randomness(make_run, purpose):
    settings = {
        "model_arguments": {"sizes": [8], "dropout": 0.5 if purpose == "dropout" else 0.0},
        "augment": build_augment({"noise": 0.5}, (5,)) if purpose == "augment" else None,
    }
    seeds = {"order": 0, "augment": 0, "dropout": 0}
    same = timeless(make_run(**settings, seeds=Seeds(**seeds)))
    moved = timeless(make_run(**settings, seeds=Seeds(**{**seeds, purpose: 1})))
    others = {key: 1 for key in seeds if key not in (purpose, "order")}
    unmoved = timeless(make_run(**settings, seeds=Seeds(**{**seeds, **others})))
    assert moved != same
    assert unmoved == same


def test_without_shuffling_samples_keep_their_order_in_every_epoch(make_run):
    seen = []

    class Spy(torch.nn.Linear):
        def forward(self, x):
            if self.training:
                seen.append(x.clone())
            return super().forward(x)

    run = make_run(model=Spy(5, 3), shuffle=False)
    rows(run)
    assert torch.equal(torch.cat(seen), run.data.train.inputs.repeat(3, 1))


def test_drop_last_skips_the_incomplete_batch(make_run):
    assert [row.step for row in rows(make_run(drop_last=True))] == [0, 5, 10, 15]


def test_the_schedule_multiplies_the_learning_rate_and_is_recorded(make_run, exponential):
    assert [row.lr for row in rows(make_run(schedule=exponential))] == [None, 0.05, 0.025, 0.0125]


def test_a_summed_loss_is_recorded_as_a_mean(make_run):
    from dlx.loss.losses import losses

    summed = losses.build("cross_entropy", {"reduction": "sum", "label_smoothing": 0.0})
    mean_first, sum_first = (rows(make_run(lr=1e-12, **c))[1] for c in ({}, {"loss": summed}))
    assert sum_first.train_loss == pytest.approx(mean_first.train_loss, rel=1e-5)


def test_a_module_that_draws_from_torchs_global_state_repeats_exactly(make_run):
    def run(seed):
        model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))
        torch.nn.init.constant_(model[0].weight, 0.1)
        torch.nn.init.constant_(model[2].weight, 0.1)
        for layer in (model[0], model[2]):
            torch.nn.init.zeros_(layer.bias)
        return timeless(make_run(model=model, seeds=Seeds(0, 0, seed)))

    assert run(1) == run(1)
    assert run(1) != run(2)


def of_both(outputs, labels):
    """Differs if outputs and labels are swapped, or come in another order."""
    return (outputs[:, 0] * (labels + 1) * torch.arange(1, len(labels) + 1)).mean()


def test_metrics_are_of_all_outputs_of_an_epoch_in_the_order_of_the_steps(make_run):
    run, reference = (make_run(metrics=[Metric("of_both", of_both, None)]) for _ in range(2))
    ends = list(train(run))
    assert ends[0].extra["train_of_both"] is None
    model, optimizer = reference.model, torch.optim.Adam(reference.model.parameters(), lr=0.05)
    x, y = reference.data.train.inputs, reference.data.train.labels
    for epoch in (1, 2):
        order, seen = torch.randperm(22, generator=rng.generator(0, "order", epoch)), []
        for index in order.split(4):
            outputs = model(x[index])
            seen.append(outputs.detach())
            optimizer.zero_grad()
            F.cross_entropy(outputs, y[index]).backward()
            optimizer.step()
        expected = float(of_both(torch.cat(seen), y[order]))
        assert ends[epoch].extra["train_of_both"] == pytest.approx(expected, rel=1e-4)
        with torch.no_grad():
            outputs = model(reference.data.val.inputs)
        expected = float(of_both(outputs, reference.data.val.labels))
        assert ends[epoch].extra["val_of_both"] == pytest.approx(expected, rel=1e-4)
        torch.testing.assert_close(ends[epoch].val_outputs_NK, outputs, rtol=1e-4, atol=1e-5)


def test_training_goes_on_from_a_position(make_run, exponential):
    whole, part = (
        make_run(schedule=exponential, model_arguments={"sizes": [8], "dropout": 0.3}) for _ in "ab"
    )
    expected = timeless(whole)
    for end in train(part):
        if end.row.epoch == 1:
            break
    ends = list(train(part, Position(1, 6, 1000.0)))
    assert all(1000.0 < end.row.time < 1100.0 for end in ends)
    got = [(r.epoch, r.step, r.lr, r.train_loss) for r in (end.row for end in ends)]
    assert got == [row[:4] for row in expected[2:]]


def test_a_run_that_does_not_classify_has_no_accuracy(make_run):
    row = rows(make_run(task="none"))[1]
    assert (row.train_accuracy, row.val_accuracy) == (None, None)
    assert row.train_loss is not None


def test_samples_are_drawn_as_often_as_they_weigh(make_run):
    weights = torch.tensor([0.0, 1.0, 3.0] + [0.0] * 19)
    run = make_run(sample_weights=weights)
    drawn = torch.cat([draw_order(run, epoch) for epoch in range(1, 60)])
    assert len(draw_order(run, 1)) == 22
    assert set(drawn.tolist()) == {1, 2}
    assert float((drawn == 2).double().mean()) == pytest.approx(0.75, abs=0.05)
    expected = torch.rand(22, generator=rng.generator(0, "order", 1), dtype=torch.float64)
    assert torch.equal(draw_order(run, 1), torch.where(expected < 0.25, 1, 2))
    last = make_run(sample_weights=torch.tensor([0.0] * 21 + [1.0]))
    assert set(draw_order(last, 1).tolist()) == {21}


def test_orders_are_those_of_their_epoch(make_run):
    run = make_run()
    for epoch in (1, 2):
        expected = torch.randperm(22, generator=rng.generator(0, "order", epoch))
        assert torch.equal(sample_order(run, epoch), expected)
    assert torch.equal(sample_order(make_run(shuffle=False), 1), torch.arange(22))


@pytest.mark.parametrize(
    ("batch_size", "drop_last", "different"),
    [(4, False, [2, 4]), (4, True, [4]), (11, False, [11]), (11, True, [11]), (30, False, [22])],
)
def test_the_sizes_of_an_epochs_batches(make_run, batch_size, drop_last, different):
    assert sizes(make_run(batch_size=batch_size, drop_last=drop_last)) == different


@pytest.mark.parametrize("largest", [0.5, 100.0])
def test_clipped_gradients_are_those_of_torch(largest):
    gradients = [torch.randn(3, 4), torch.randn(5)]
    parameters = [torch.zeros_like(gradient).requires_grad_() for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(parameters, largest)
    clip_gradients(gradients, largest)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad)


class Spying(torch.nn.Linear):
    """Notes whether it trains, and its inputs."""

    def __init__(self):
        super().__init__(5, 3)
        self.seen = []

    def forward(self, x):
        self.seen.append((self.training, x.clone()))
        return super().forward(x)


def test_training_is_augmented_and_in_training_mode_and_validation_is_neither(make_run):
    run = make_run(model=Spying(), augment=build_augment({"noise": 0.5}, (5,)), shuffle=False, epochs=1)
    list(train(run))
    trained = torch.cat([x for training, x in run.model.seen if training])[-22:]
    validated = [x for training, x in run.model.seen if not training]
    assert torch.equal(torch.cat(validated), run.data.val.inputs.repeat(2, 1))
    draws = rng.generator(0, "augment", 1)
    expected = [run.augment(x, draws) for x in run.data.train.inputs.split(4)]
    assert torch.equal(trained, torch.cat(expected))
    assert not torch.equal(trained, run.data.train.inputs)
    assert all(parameter.grad is None for parameter in run.model.parameters())
