"""Runs trained as one report what each reports alone; they stop one by one; each has its own draws."""

import pytest
import torch

from dlx.augment.pipeline import build_augment
from dlx.engine import loop, stacked
from dlx.engine.run import Seeds
from dlx.engine.stack import UnstackableError
from dlx.loss.losses import losses


def differing(make_run):
    """Four runs that share shapes alone: weights, seeds, rates, dropout, augmentation, loss are their own."""
    smooth = losses.build("cross_entropy", {"reduction": "sum", "label_smoothing": 0.2})
    noise = build_augment({"noise": 0.5}, (5,))
    return [
        make_run(init_seed=0),
        make_run(init_seed=1, lr=0.01, seeds=Seeds(1, 1, 1), augment=noise),
        make_run(init_seed=2, loss=smooth, model_arguments={"sizes": [8], "dropout": 0.5}),
        make_run(init_seed=0, shuffle=False, augment=noise),
    ]


def test_every_row_is_the_runs_own(make_run):
    alone = [list(loop.train(run)) for run in differing(make_run)]
    together = list(stacked.train(differing(make_run), {0, 1, 2, 3}))
    assert len(together) == 4
    for epoch, ends in enumerate(together):
        assert sorted(ends) == [0, 1, 2, 3]
        for place, end in ends.items():
            mine, own = end.row, alone[place][epoch].row
            assert (mine.epoch, mine.step, mine.lr) == (own.epoch, own.step, own.lr)
            for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
                expected = getattr(own, name)
                assert getattr(mine, name) == (expected and pytest.approx(expected, rel=1e-4))
    assert len({end.row.val_loss for end in together[-1].values()}) == 4, "members must differ"


def test_a_run_that_is_taken_out_leaves_the_others_as_they_were(make_run):
    runs, active = differing(make_run), {0, 1, 2, 3}
    expected = [list(loop.train(run))[-1].row for run in differing(make_run)]
    seen = []
    for ends in stacked.train(runs, active):
        seen.append(sorted(ends))
        if len(seen) == 2:
            active -= {1, 2}
    assert seen == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 3], [0, 3]]
    for place in (0, 3):
        assert ends[place].row.val_loss == pytest.approx(expected[place].val_loss, rel=1e-4)
        assert ends[place].row.train_loss == pytest.approx(expected[place].train_loss, rel=1e-4)


def test_training_ends_when_all_are_taken_out(make_run):
    active, epochs = {0, 1}, []
    for ends in stacked.train([make_run(), make_run(init_seed=1)], active):
        epochs.append(ends[0].row.epoch)
        active.clear()
    assert epochs == [0]


def test_a_last_batch_that_is_not_full_is_left_out_if_asked(make_run):
    ends = list(stacked.train([make_run(drop_last=True), make_run(drop_last=True, init_seed=1)], {0, 1}))
    assert [end[0].row.step for end in ends] == [0, 5, 10, 15]


def test_times_are_shares_that_only_grow(make_run):
    ends = list(stacked.train([make_run(), make_run(init_seed=1)], {0, 1}))
    for place in (0, 1):
        times = [end[place].row.time for end in ends]
        assert times == sorted(times)
        assert times[-1] > 0


def test_what_must_be_equal_is_in_the_key_and_what_may_differ_is_not(make_run):
    first, *others = [stacked.cohort_key(run) for run in differing(make_run)]
    assert all(other == first for other in others)
    for changes in (
        {"batch_size": 5},
        {"epochs": 2},
        {"drop_last": True},
        {"model_arguments": {"sizes": [9]}},
    ):
        assert stacked.cohort_key(make_run(**changes)) != first


def test_a_model_without_a_twin_is_refused_by_name(make_run):
    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Softplus())
    with pytest.raises(UnstackableError, match=r"1 \(Softplus\) has no stacked twin"):
        stacked.cohort_key(make_run(model=model))
