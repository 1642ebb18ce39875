"""Stacked runs report what each would report alone, with its own draws, and can stop one by one."""

import copy

import pytest
import torch

from dlx.augment.transforms import build_augment
from dlx.engine import loop, stacked
from dlx.engine.run import Position, Seeds
from dlx.loss.losses import losses
from tests.engine.own_nets import STACKED, built, images


def differing(make_run):
    """Four runs of equal shapes that differ in weights, seeds, rates, dropout, augmentation and loss."""
    smooth = losses.build("cross_entropy", {"reduction": "sum", "label_smoothing": 0.2})
    noise = build_augment({"noise": 0.5}, (5,))
    return [
        make_run(init_seed=0),
        make_run(init_seed=1, lr=0.01, seeds=Seeds(1, 1, 1), augment=noise),
        make_run(init_seed=2, loss=smooth, model_arguments={"sizes": [8], "dropout": 0.5}),
        make_run(init_seed=0, shuffle=False, augment=noise),
    ]


def test_every_run_reports_what_it_would_alone(make_run):
    alone = [list(loop.train(run)) for run in differing(make_run)]
    together = list(stacked.train(differing(make_run), {0, 1, 2, 3}))
    assert len(together) == 4
    for epoch, ends in enumerate(together):
        assert sorted(ends) == [0, 1, 2, 3]
        for index, end in ends.items():
            mine, own = end.row, alone[index][epoch].row
            assert (mine.epoch, mine.step, mine.lr) == (own.epoch, own.step, own.lr)
            for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
                expected = getattr(own, name)
                assert getattr(mine, name) == (expected and pytest.approx(expected, rel=1e-4))
    assert len({end.row.val_loss for end in together[-1].values()}) == 4, "members must differ"


def test_removing_runs_does_not_affect_the_others(make_run):
    runs, active = differing(make_run), {0, 1, 2, 3}
    expected = [list(loop.train(run))[-1].row for run in differing(make_run)]
    seen = []
    for ends in stacked.train(runs, active):
        seen.append(sorted(ends))
        if len(seen) == 2:
            active -= {1, 2}
    assert seen == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 3], [0, 3]]
    for index in (0, 3):
        assert ends[index].row.val_loss == pytest.approx(expected[index].val_loss, rel=1e-4)
        assert ends[index].row.train_loss == pytest.approx(expected[index].train_loss, rel=1e-4)


def test_training_ends_when_all_runs_are_removed(make_run):
    active, epochs = {0, 1}, []
    for ends in stacked.train([make_run(), make_run(init_seed=1)], active):
        epochs.append(ends[0].row.epoch)
        active.clear()
    assert epochs == [0]


def test_drop_last_skips_the_incomplete_batch(make_run):
    ends = list(stacked.train([make_run(drop_last=True), make_run(drop_last=True, init_seed=1)], {0, 1}))
    assert [end[0].row.step for end in ends] == [0, 5, 10, 15]


def test_times_are_shares_that_only_grow(make_run):
    ends = list(stacked.train([make_run(), make_run(init_seed=1)], {0, 1}))
    for index in (0, 1):
        times = [end[index].row.time for end in ends]
        assert times == sorted(times)
        assert times[-1] > 0


def test_the_cohort_key_holds_what_must_be_equal_and_nothing_else(make_run):
    first, *others = [stacked.cohort_key(run) for run in differing(make_run)]
    assert all(other == first for other in others)
    for changes in (
        {"batch_size": 5},
        {"epochs": 2},
        {"drop_last": True},
        {"model_arguments": {"sizes": [9]}},
    ):
        assert stacked.cohort_key(make_run(**changes)) != first


def own_runs(make_run, name):
    """Three runs of a user's net that differ in weights, seeds and rates."""
    return [
        make_run(
            data=images(),
            model=built(STACKED[name], seed),
            seeds=Seeds(seed, seed, seed),
            lr=0.01 + seed / 50,
        )
        for seed in range(3)
    ]


@pytest.mark.parametrize("name", STACKED)
def test_users_nets_report_what_they_would_alone(name, make_run):
    alone = [list(loop.train(run)) for run in own_runs(make_run, name)]
    runs = own_runs(make_run, name)
    for epoch, ends in zip(range(2), stacked.train(runs, {0, 1, 2}), strict=False):
        for index, end in ends.items():
            own = alone[index][epoch].row
            assert end.row.val_loss == pytest.approx(own.val_loss, rel=1e-4)
            assert end.row.train_loss == (own.train_loss and pytest.approx(own.train_loss, rel=1e-4))
    assert len({end.row.val_loss for end in ends.values()}) == 3, "members must differ"


def test_users_nets_leave_one_by_one_and_take_their_buffers_along(make_run):
    name = "group, batch and layer norm"
    alone = own_runs(make_run, name)
    for run in alone:
        list(loop.train(run))
    runs, active = own_runs(make_run, name), {0, 1, 2}
    for epoch, _ in enumerate(stacked.train(runs, active)):
        if epoch == 1:
            active.remove(1)
    assert int(runs[1].model.batch.num_batches_tracked) == 6
    for index in (0, 2):
        expected = alone[index].model.state_dict()
        for key, value in runs[index].model.state_dict().items():
            torch.testing.assert_close(value, expected[key], rtol=1e-3, atol=1e-4)


def test_users_nets_go_on_from_a_state_as_if_they_had_not_stopped(make_run):
    name = "dropout of values and channels"
    whole = own_runs(make_run, name)
    states = {}
    for epoch, ends in enumerate(stacked.train(whole, {0, 1, 2})):
        if epoch == 1:
            for end in ends.values():
                end.settle()
            states = copy.deepcopy(
                [(run.model.state_dict(), [each.state_dict() for each in run.optimizers]) for run in whole]
            )
    resumed = own_runs(make_run, name)
    for run, (model, optimizers) in zip(resumed, states, strict=True):
        run.model.load_state_dict(model)
        for optimizer, state in zip(run.optimizers, optimizers, strict=True):
            optimizer.load_state_dict(state)
    list(stacked.train(resumed, {0, 1, 2}, [Position(1, 6, 0.0)] * 3))
    for run, other in zip(whole, resumed, strict=True):
        assert all(
            torch.equal(*pair)
            for pair in zip(run.model.state_dict().values(), other.model.state_dict().values(), strict=True)
        )


def test_a_net_that_evaluates_by_the_batch_does_not_depend_on_the_width(make_run, monkeypatch):
    """A stack may evaluate fewer samples at a time than the loop does."""
    monkeypatch.setattr(stacked, "evaluation_batch", lambda _: 6)
    name = "circular padding, norm by the batch"
    (alone,) = [end for _, end in zip(range(1), loop.train(own_runs(make_run, name)[0]), strict=False)]
    (together,) = [
        ends for _, ends in zip(range(1), stacked.train(own_runs(make_run, name), {0, 1, 2}), strict=False)
    ]
    torch.testing.assert_close(together[0].val_outputs_NK, alone.val_outputs_NK, rtol=1e-6, atol=1e-6)
