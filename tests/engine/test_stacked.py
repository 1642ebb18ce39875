"""Stacked runs report what each would report alone, with its own draws, and can stop one by one."""

import pytest
import torch

from dlx.augment.transforms import build_augment
from dlx.engine import loop, stacked
from dlx.engine.run import Seeds
from dlx.engine.stacked_model import UnstackableError
from dlx.loss.losses import losses


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


def test_a_model_without_a_stacked_version_is_refused_with_its_name(make_run):
    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Softplus())
    with pytest.raises(UnstackableError, match=r"1 \(Softplus\) has no stacked version"):
        stacked.cohort_key(make_run(model=model))
