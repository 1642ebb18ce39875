"""Runs of one stack may share their data or not, and differ in all that shapes do not depend on."""

import itertools
from dataclasses import replace

import pytest
import torch

from dlx.augment.transforms import Augment, build_augment
from dlx.data.dataset import Split
from dlx.engine import loop, stacked
from dlx.engine.probes import GradientProbe, LayerProbe, Probes, StepProbe
from dlx.engine.run import Position, Seeds
from dlx.loss.losses import losses
from dlx.metrics.metrics import Metric
from dlx.optimizer.schedule import build_schedule
from tests.engine.conftest import make_run
from tests.engine.own_nets import Functional, built, images


def noise(seed, std=0.3):
    return std * torch.randn(22, 5, generator=torch.Generator().manual_seed(seed))


def plain(**changes):
    """Three runs of different weights and seeds on the same data."""
    data = make_run().data
    runs = [
        make_run(init_seed=seed, seeds=Seeds(seed, seed, seed), **({"data": data} | changes))
        for seed in range(3)
    ]
    assert runs[0].data.train is runs[2].data.train
    return runs


def each(changes):
    return [replace(run, **change) for run, change in zip(plain(), changes, strict=True)]


def with_data(change):
    """Each run's data is changed by its number."""
    return [replace(run, data=replace(run.data, **change(run.data, row))) for row, run in enumerate(plain())]


def noisy_labels():
    def labels(data, row):
        changed = data.train.labels.clone()
        changed[: 3 * row] = (changed[: 3 * row] + 1) % 3
        return {"train": replace(data.train, labels=changed)}

    return with_data(labels)


def own_inputs():
    return with_data(lambda data, row: {"train": replace(data.train, inputs=data.train.inputs + noise(row))})


def own_validation():
    def val(data, row):
        return {"val": Split(data.val.inputs + row, (data.val.labels + row) % 3)}

    return with_data(val)


def numbers():
    runs = plain()
    labels = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
    splits = zip(("train", "val", "test"), ((0, 22), (22, 32), (32, 40)), runs[0].data.splits, strict=True)
    data = replace(runs[0].data, **{name: replace(s, labels=labels[a:b]) for name, (a, b), s in splits})
    squared = losses.build("mean_squared_error", {"reduction": "mean"})
    return [replace(run, data=data, loss=squared, task="regression") for run in runs]


def metric(name, scale):
    return Metric(
        name, lambda outputs, labels: scale * outputs.mean() + (labels * outputs[:, 0]).mean(), True
    )


def metrics():
    return each([{"metrics": [metric("a", 1)]}, {}, {"metrics": [metric("b", 2), metric("a", 3)]}])


def clipped():
    return each([{"gradient_clip": 0.1}, {}, {"gradient_clip": 0.4}])


def of_losses():
    one = losses.build("cross_entropy", {"reduction": "mean", "label_smoothing": 0.0})
    other = losses.build("cross_entropy", {"reduction": "sum", "label_smoothing": 0.3})
    return each([{"loss": one}, {"loss": other}, {"loss": one}])


def rates():
    """The first and the third step together, and become neighbours."""
    data = make_run().data
    return [make_run(init_seed=seed, lr=lr, data=data) for seed, lr in enumerate((0.05, 0.01, 0.05))]


def scheduled():
    def schedule(decay):
        return build_schedule(
            "exponential", {"decay": decay, "per": "epoch"}, warmup_epochs=1, epochs=3, steps_per_epoch=6
        )

    return each([{"schedule": schedule(0.5)}, {"schedule": schedule(0.1)}, {"schedule": schedule(0.5)}])


def drawn():
    weights = torch.linspace(0.0, 1.0, 22)
    return each([{"sample_weights": weights}, {"shuffle": False}, {}])


def augmented():
    return each(
        [
            {"augment": build_augment({"noise": 0.5}, (5,))},
            {},
            {"augment": build_augment({"noise": 0.1}, (5,))},
        ]
    )


def own_transform():
    def scaled(x, generator):
        return x * torch.rand(len(x), 1, generator=generator)

    return each([{}, {"augment": Augment({}, scaled)}, {"augment": build_augment({"noise": 0.1}, (5,))}])


def augmented_images():
    data = images()
    kinds = [{"shift": 1, "noise": 0.2}, {"noise": 0.1, "flip": True}, {"shift": 2}]
    return [
        make_run(
            data=data,
            model=built(Functional, seed),
            seeds=Seeds(seed, seed, seed),
            augment=build_augment(kind, (1, 6, 6)),
        )
        for seed, kind in enumerate(kinds)
    ]


def probed():
    runs = plain()
    return [
        replace(runs[0], probes=Probes(layers=LayerProbe(runs[0].model), steps=StepProbe())),
        runs[1],
        replace(
            runs[2],
            probes=Probes(
                gradients=GradientProbe(dict(runs[2].model.named_parameters())),
                classes=True,
                logits={1},
                train_sample=runs[2].data.train,
            ),
        ),
    ]


COHORTS = (
    plain,
    noisy_labels,
    own_inputs,
    own_validation,
    numbers,
    metrics,
    clipped,
    of_losses,
    rates,
    scheduled,
    drawn,
    augmented,
    own_transform,
    augmented_images,
    probed,
)


def close(value):
    """This value, or a number that differs by rounding."""
    return pytest.approx(value, rel=1e-3, abs=1e-5) if isinstance(value, float) else value


def assert_as_alone(cohort):
    """Train the runs of a cohort alone and as a stack, and compare all that they report and learn."""
    alone, together = cohort(), cohort()
    expected = [list(loop.train(run)) for run in alone]
    ends = list(stacked.train(together, set(range(len(together)))))
    for epoch, index in itertools.product(range(4), range(len(together))):
        own, mine = expected[index][epoch], ends[epoch][index]
        for name in ("epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            assert getattr(mine.row, name) == close(getattr(own.row, name)), (epoch, index, name)
        assert mine.extra == {key: close(value) for key, value in own.extra.items()}
        torch.testing.assert_close(mine.val_outputs_NK, own.val_outputs_NK, rtol=1e-3, atol=1e-4)
        assert mine.observed.tables.keys() == own.observed.tables.keys()
        for table, rows in own.observed.tables.items():
            got = mine.observed.tables[table]
            assert [list(row) for row in got] == [[close(value) for value in row] for row in rows]
        logits = [end.observed.train_outputs_NK for end in (mine, own)]
        assert (logits[0] is None) is (logits[1] is None)
        if logits[1] is not None:
            torch.testing.assert_close(*logits, rtol=1e-3, atol=1e-4)
    finals = [ends[-1][index].row.val_loss for index in range(len(together))]
    assert len(set(finals)) == len(together), "members must differ"
    ends[-1][0].settle()
    for run, other in zip(alone, together, strict=True):
        for key, value in run.model.state_dict().items():
            torch.testing.assert_close(other.model.state_dict()[key], value, rtol=1e-3, atol=1e-4)
        states = [each.optimizers[0].state_dict()["state"] for each in (other, run)]
        torch.testing.assert_close(*states, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cohort", COHORTS, ids=lambda cohort: cohort.__name__)
def test_a_cohort_of_any_kind_reports_and_learns_what_its_runs_do_alone(cohort):
    assert_as_alone(cohort)


@pytest.mark.parametrize("cohort", [augmented, augmented_images], ids=lambda cohort: cohort.__name__)
def test_large_batches_are_augmented_run_by_run_to_the_same_images(monkeypatch, cohort):
    monkeypatch.setattr(stacked, "JOINT_BYTES", 0)
    assert_as_alone(cohort)


def test_small_batches_are_augmented_together(monkeypatch):
    def alone(*_):
        raise AssertionError("a transform was called for one run")

    monkeypatch.setattr(Augment, "__call__", alone)
    runs = augmented()
    assert runs[0].data.train.inputs[:4].nbytes <= stacked.JOINT_BYTES
    next(itertools.islice(stacked.train(runs, {0, 1, 2}), 1, None))
    monkeypatch.setattr(stacked, "JOINT_BYTES", 4 * 5 * 4 - 1)
    with pytest.raises(AssertionError, match="for one run"):
        list(stacked.train(augmented(), {0, 1, 2}))


class Clock:
    """Shows one second more at each look."""

    def __init__(self, device):
        self._now = 0.0

    def seconds(self):
        self._now += 12.0
        return self._now


def test_the_time_of_an_epoch_is_shared_by_the_runs_that_are_active_in_it(monkeypatch):
    monkeypatch.setattr(stacked, "Timer", Clock)
    active, seen = {0, 1, 2}, []
    for ends in stacked.train(plain(), active):
        seen.append({index: end.row.time for index, end in ends.items()})
        if len(seen) == 2:
            active.remove(1)
    assert seen == [{0: 4, 1: 4, 2: 4}, {0: 8, 1: 8, 2: 8}, {0: 14, 2: 14}, {0: 20, 2: 20}]


def test_times_go_on_from_where_each_run_was(monkeypatch):
    monkeypatch.setattr(stacked, "Timer", Clock)
    starts = [Position(1, 6, 100.0), Position(1, 6, 200.0), None]
    ends = list(stacked.train(plain(), {0, 1}, starts))
    assert [{index: end.row.time for index, end in each.items()} for each in ends] == [
        {0: 106.0, 1: 206.0},
        {0: 112.0, 1: 212.0},
    ]
    assert [(each[0].row.epoch, each[0].row.step) for each in ends] == [(2, 12), (3, 18)]


def test_training_may_be_left_before_a_step():
    steps = []

    def before_step():
        steps.append(len(steps))
        if len(steps) == 8:
            raise KeyboardInterrupt

    ends = stacked.train(plain(), {0, 1, 2}, before_step=before_step)
    with pytest.raises(KeyboardInterrupt):
        list(ends)
    assert len(steps) == 8
    steps.clear()
    with pytest.raises(KeyboardInterrupt):
        list(loop.train(make_run(), None, before_step))
    assert len(steps) == 8


def test_runs_that_step_together_are_neighbours_in_the_order_of_the_first():
    stack = stacked._Stack(rates(), {0, 1, 2})
    assert stack.indices == [0, 2, 1]
    assert stack.optimizers.first_rows == [0, 2]
    assert stacked._Stack(rates(), {1, 2}).indices == [1, 2]
    assert stacked._Stack(probed(), {0, 1, 2}).optimizers.first_rows == [0, 2]  # who reads gradients is alone
