"""The best epoch, divergence and early stopping; the sample images of a run."""

import math

import numpy as np
import pytest
import torch

from dlx import rng
from dlx.augment.transforms import build_augment
from dlx.data.dataset import Dataset, Split
from dlx.data.standardise import fit
from dlx.engine.monitor import Monitor
from dlx.engine.probe_files import sample_images
from dlx.engine.run import EpochEnd, steps_per_epoch
from dlx.run.history import EpochRow


def feed(monitor, accuracies, losses=None, train_loss=1.0):
    """Feed epochs until the monitor says stop; return the last epoch."""
    losses = losses or [1.0] * len(accuracies)
    for epoch, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True)):
        row = EpochRow(epoch, epoch, 0.0, 0.1, train_loss if epoch else None, None, loss, accuracy)
        monitor.update(EpochEnd(row, torch.zeros(1, 1)))
        if monitor.stop:
            break
    return epoch


def test_the_best_epoch_is_the_earliest_of_equals():
    monitor = Monitor("val_accuracy", higher=True, patience=0, min_delta=0.0)
    assert feed(monitor, [0.1, 0.5, 0.7, 0.7, 0.6]) == 4
    assert monitor.best.row.epoch == 2


def test_the_best_epoch_by_loss_has_the_lowest_loss():
    monitor = Monitor("val_loss", higher=False, patience=0, min_delta=0.0)
    feed(monitor, [0.1, 0.9, 0.5], losses=[3.0, 2.0, 1.0])
    assert monitor.best.row.epoch == 2


def test_patience_counts_epochs_without_an_improvement_above_min_delta():
    monitor = Monitor("val_accuracy", higher=True, patience=2, min_delta=0.1)
    # 0.55 and 0.58 do not improve on 0.5 by more than 0.1, although 0.58 is the best epoch.
    assert feed(monitor, [0.1, 0.5, 0.55, 0.58, 0.9]) == 3
    assert monitor.out_of_patience
    assert monitor.best.row.epoch == 3


def test_patience_with_a_loss_counts_epochs_that_are_not_lower_by_more_than_min_delta():
    monitor = Monitor("val_loss", higher=False, patience=2, min_delta=0.1)
    losses = [2.0, 1.0, 0.94, 0.92, 0.5]  # neither 0.94 nor 0.92 is lower than 1.0 by more than 0.1
    assert feed(monitor, [0.5] * 5, losses=losses) == 3
    assert monitor.best.row.epoch == 3
    exact = Monitor("val_loss", higher=False, patience=1, min_delta=0.25)
    assert feed(exact, [0.5] * 3, losses=[1.0, 0.75, 0.25]) == 1  # by exactly min_delta is not more


def test_an_improvement_restarts_the_wait():
    monitor = Monitor("val_accuracy", higher=True, patience=2, min_delta=0.0)
    assert feed(monitor, [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.9]) == 6


@pytest.mark.parametrize(
    ("train", "val"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)]
)
def test_a_loss_that_is_not_finite_counts_as_divergence(train, val):
    monitor = Monitor("val_accuracy", higher=True, patience=0, min_delta=0.0)
    assert feed(monitor, [0.5, 0.6, 0.7], losses=[1.0, val, 1.0], train_loss=train) == 1
    assert monitor.diverged


def test_the_best_epochs_state_is_kept():
    states = iter([{"w": torch.tensor(float(i))} for i in range(9)])
    monitor = Monitor("val_accuracy", higher=True, patience=0, min_delta=0.0, copy_model=lambda: next(states))
    feed(monitor, [0.1, 0.5, 0.2, 0.3])
    assert monitor.best_model == {"w": torch.tensor(1.0)}


PIXELS = torch.randint(0, 256, (30, 2, 6, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def image_run(make_run, *, method="mean_std", lazily=False, **changes):
    standardise = fit(method, PIXELS[:22], 255.0).to(dtype=torch.float32, device=torch.device("cpu"))
    labels = torch.arange(30) % 3
    splits = [
        Split(PIXELS[a:b], labels[a:b], standardise)
        if lazily
        else Split(standardise(PIXELS[a:b]), labels[a:b])
        for a, b in ((0, 22), (22, 26), (26, 30))
    ]
    data = Dataset("images", ("a", "b", "c"), *splits, standardise)
    return make_run(data=data, **changes)


@pytest.mark.parametrize("method", ["none", "unit", "mean_std", "mean_image"])
@pytest.mark.parametrize("lazily", [True, False])
def test_sample_images_are_the_first_of_epoch_1_in_the_units_of_the_files(make_run, method, lazily):
    run = image_run(make_run, method=method, lazily=lazily)
    first = torch.randperm(22, generator=rng.generator(0, "order", 1))[:5]
    images = sample_images(run, 5)
    np.testing.assert_allclose(images.before, PIXELS[first].float().numpy(), atol=1e-3)
    np.testing.assert_array_equal(images.after, images.before)
    assert images.labels.tolist() == (first % 3).tolist()


def test_sample_images_are_augmented_as_the_run_augments(make_run):
    run = image_run(make_run, augment=build_augment({"shift": 1}, (2, 6, 6)))
    images = sample_images(run, 22)
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    found = [
        [shift for shift in shifts if np.allclose(np.roll(before, shift, (1, 2)), after, atol=1e-3)]
        for before, after in zip(images.before, images.after, strict=True)
    ]
    assert all(len(shifts_of_one) == 1 for shifts_of_one in found)
    assert len({shifts_of_one[0] for shifts_of_one in found}) > 3


def test_too_many_sample_images_give_all_images(make_run):
    assert sample_images(image_run(make_run), 64).before.shape == (22, 2, 6, 6)


@pytest.mark.parametrize("after", range(1, 6))
def test_a_monitor_goes_on_where_another_stopped(after):
    accuracies = [0.1, 0.5, 0.55, 0.7, 0.65, 0.66, 0.6]

    def end(epoch):
        row = EpochRow(epoch, epoch, 0.0, 0.1, 1.0, None, 1.0, accuracies[epoch])
        return EpochEnd(row, torch.full((2, 1), float(epoch)), {"val_f1": epoch / 10})

    def build():
        return Monitor(
            "val_accuracy", higher=True, patience=3, min_delta=0.1, copy_model=lambda: {"w": torch.ones(1)}
        )

    whole, part, rest = build(), build(), build()
    for epoch in range(after):
        whole.update(end(epoch))
        part.update(end(epoch))
    rest.restore(part.state(), torch.device("cpu"))
    for epoch in range(after, len(accuracies)):
        whole.update(end(epoch))
        rest.update(end(epoch))
        assert (rest.stop, rest.best.row) == (whole.stop, whole.best.row)
    assert rest.best.extra == whole.best.extra == {"val_f1": 0.3}
    assert rest.best.val_outputs_NK.tolist() == [[3.0], [3.0]]
    assert rest.best_model == {"w": torch.ones(1)}


@pytest.mark.parametrize(("drop_last", "batches"), [(False, [1, 3, 3]), (True, [0, 2, 3])])
def test_the_last_batch_of_an_epoch_counts_unless_it_is_dropped(drop_last, batches):
    samples = (3, 11, 12)
    assert [steps_per_epoch(each, 4, drop_last=drop_last) for each in samples] == batches


def test_a_metric_can_be_monitored_in_either_direction():
    for higher, best in ((True, 1), (False, 2)):
        monitor = Monitor("val_kappa", higher=higher, patience=0, min_delta=0.0)
        for epoch, value in enumerate([0.2, 0.9, 0.1, None]):
            row = EpochRow(epoch, epoch, 0.0, 0.1, None, None, 1.0, 0.5)
            monitor.update(EpochEnd(row, torch.zeros(1, 1), {"val_kappa": value}))
        assert monitor.best.row.epoch == best
