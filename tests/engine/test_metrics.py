"""Means of an epoch, for one run and for several, and scalars that wait on the device."""

import torch

from dlx.engine.metrics import (
    JUDGED,
    STACKED,
    DeviceScalars,
    EpochMetrics,
    Metrics,
    Outputs,
    fetch,
    measure,
    sums,
)
from dlx.metrics.metrics import Metric


def largest_is_the_class(outputs, labels):
    return outputs.argmax(-1) == labels


def outputs(*classes):
    return torch.nn.functional.one_hot(torch.tensor(classes), 3).float()


def test_means_give_equal_weight_to_samples_not_to_steps():
    metrics = EpochMetrics(largest_is_the_class)
    metrics.add(torch.tensor([1.0, 2.0, 3.0]), outputs(0, 1, 2), torch.tensor([0, 2, 2]))
    metrics.add(torch.tensor([6.0]), outputs(1), torch.tensor([1]))
    assert fetch(metrics.sums()) == [[Metrics(3.0, 0.75)]]


def test_each_run_has_its_own_means():
    metrics = EpochMetrics(largest_is_the_class)
    metrics.add(
        torch.tensor([[1.0, 2.0], [5.0, 6.0]]), outputs([0, 1], [0, 1]), torch.tensor([[0, 1], [1, 0]])
    )
    metrics.add(torch.tensor([[3.0], [float("nan")]]), outputs([0], [1]), torch.tensor([[2], [1]]))
    first, second = fetch(metrics.sums())[0]
    assert first == Metrics(2.0, 2 / 3)
    assert second.loss != second.loss
    assert second.accuracy == 1 / 3


def test_a_long_epochs_sum_keeps_small_terms():
    metrics = EpochMetrics(largest_is_the_class)
    for loss in [1e8] + [1.0] * 99:
        metrics.add(torch.tensor([loss]), outputs(0), torch.tensor([0]))
    assert fetch(metrics.sums())[0][0].loss == (1e8 + 99) / 100


def test_outputs_that_were_judged_are_not_kept():
    seen = []

    def judge(given, labels):
        seen.append(given.shape)
        return largest_is_the_class(given, labels)

    metrics = EpochMetrics(judge)
    step = (torch.zeros(JUDGED // 8), outputs(0).expand(JUDGED // 8, 3), torch.zeros(JUDGED // 8).long())
    for _ in range(4):
        metrics.add(*step)
    assert seen == [(JUDGED // 8 * 3, 3)]
    assert fetch(metrics.sums()) == [[Metrics(0.0, 1.0)]]
    assert seen == [(JUDGED // 8 * 3, 3), (JUDGED // 8, 3)]


def test_parts_of_different_lengths_are_fetched_together():
    two_runs = sums(torch.tensor([[1.0, 3.0], [5.0, 7.0]]), torch.tensor([[True, False], [True, True]]))
    one_run = sums(torch.tensor([2.0]), torch.tensor([False]))
    assert fetch(two_runs, one_run) == [[Metrics(2.0, 0.5), Metrics(6.0, 1.0)], [Metrics(2.0, 0.0)]]


def test_scalars_are_taken_once_and_in_order():
    scalars = DeviceScalars()
    assert scalars.take() == []
    count = STACKED + 3  # one stack, and some that are not stacked yet
    for value in range(count):
        scalars.add(torch.tensor(float(value)), torch.tensor(-float(value)))
    taken = scalars.take()
    assert taken == [number for value in range(count) for number in (value, -value)]
    assert scalars.take() == []


def test_scalars_of_different_precision_can_be_mixed():
    scalars = DeviceScalars()
    scalars.add(torch.tensor(0.5), torch.tensor(1 / 3, dtype=torch.float64))
    assert scalars.take() == [0.5, 1 / 3]


def test_outputs_of_one_run_of_several_are_its_row():
    outputs_RNK, labels_RN = torch.arange(12.0).view(2, 3, 2), torch.tensor([[0, 1, 0], [1, 1, 0]])
    one = Outputs(outputs_RNK, labels_RN).of(1)
    assert one.outputs.tolist() == [[6, 7], [8, 9], [10, 11]]
    assert one.labels.tolist() == [1, 1, 0]


def test_an_epochs_outputs_are_kept_only_if_that_is_asked_for():
    for keep in (False, True):
        metrics = EpochMetrics(largest_is_the_class, **({"keep": True} if keep else {}))
        metrics.add(torch.zeros(2), outputs(0, 1), torch.tensor([0, 2]))
        metrics.add(torch.zeros(1), outputs(2), torch.tensor([1]))
        metrics.sums()
        assert len(metrics._kept) == int(keep)
    kept = metrics.outputs()
    assert torch.equal(kept.outputs, outputs(0, 1, 2))
    assert kept.labels.tolist() == [0, 2, 1]


def test_each_run_has_the_columns_of_its_own_metrics():
    """In their order; None where a split was not computed."""
    first, second = Outputs(outputs(0, 1), torch.tensor([0, 2])), Outputs(outputs(1), torch.tensor([1]))
    correct = Metric("correct", lambda given, labels: largest_is_the_class(given, labels).sum() / 1.0, True)
    count = Metric("count", lambda given, labels: torch.tensor(float(len(labels))), None)
    measured = measure([[correct, count], [], [count]], {"train_": None, "val_": [first, first, second]})
    assert [list(each.items()) for each in measured] == [
        [("train_correct", None), ("train_count", None), ("val_correct", 1.0), ("val_count", 2.0)],
        [],
        [("train_count", None), ("val_count", 1.0)],
    ]
    assert measure([[]], {"train_": None, "val_": [first]}) == [{}]
