"""The loop equals a plain training loop, and its random draws are independent of each other."""

import pytest
import torch
import torch.nn.functional as F

from dlx import rng
from dlx.augment.transforms import build_augment
from dlx.engine.loop import train
from dlx.engine.run import Seeds


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
