"""What a run learns follows from its loss and its labels, and so does what it is judged by."""

from dataclasses import replace

import pytest
import torch

from dlx.data.dataset import Dataset, Split
from dlx.engine.run import Monitored
from dlx.engine.task import find_monitor, find_task
from dlx.errors import RequestError
from dlx.loss.losses import losses
from dlx.metrics.metrics import Metric

CLASSES = [0, 1, 2, 1]
BINARY, FRACTIONS = [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.5, 0.0]
SEVERAL = [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
NUMBERS = [[0.0, 1.0], [1.0, 3.0], [0.0, 0.0], [1.0, 0.0]]


def data(labels):
    """Data whose three splits have these labels."""
    split = Split(torch.zeros(4, 2), torch.tensor(labels))
    return Dataset("mine", ("a", "b", "c"), split, split, split)


def loss(of_floats, *, classifies=True):
    built = losses.build("cross_entropy", {"reduction": "mean", "label_smoothing": 0.0})
    kind = type("OfFloats", (type(built),), {"of_floats": of_floats, "classifies": classifies})
    return kind(reduction="mean", label_smoothing=0.0)


@pytest.mark.parametrize("labels", [CLASSES, BINARY, NUMBERS])
def test_a_loss_that_does_not_classify_has_no_task(labels):
    assert find_task("descent", loss("", classifies=False), data(labels)) == "none"


@pytest.mark.parametrize("of_floats", ["", "multi-label", "regression", "any"])
def test_integers_are_classes_for_any_loss(of_floats):
    assert find_task("mine", loss(of_floats), data(CLASSES)) == "classification"


@pytest.mark.parametrize(
    ("of_floats", "labels", "task"),
    [
        ("regression", BINARY, "regression"),
        ("regression", NUMBERS, "regression"),
        ("multi-label", SEVERAL, "multi-label"),
        ("multi-label", BINARY, "multi-label"),
        ("any", SEVERAL, "multi-label"),
        ("any", BINARY, "regression"),  # one number a sample
        ("any", FRACTIONS, "regression"),
        ("any", NUMBERS, "regression"),
    ],
)
def test_floats_are_what_the_loss_makes_of_them(of_floats, labels, task):
    assert find_task("mine", loss(of_floats), data(labels)) == task


def test_a_loss_that_needs_classes_refuses_numbers():
    with pytest.raises(RequestError, match=r"loss=mine: needs classes, but the labels of data=mine are numb"):
        find_task("mine", loss(""), data(BINARY))


def test_a_loss_of_yes_and_no_refuses_other_numbers_in_any_split():
    said = r"loss=mine: needs labels that are 0 or 1, but those of data=mine lie between 0 and 3"
    with pytest.raises(RequestError, match=said):
        find_task("mine", loss("multi-label"), data(NUMBERS))
    hidden = replace(data(SEVERAL), test=data(NUMBERS).test)
    with pytest.raises(RequestError, match="needs labels that are 0 or 1"):
        find_task("mine", loss("multi-label"), hidden)
    assert find_task("mine", loss("any"), hidden) == "regression"


METRICS = [
    Metric("f1_macro", torch.add, True),
    Metric("mean_absolute_error", torch.add, False),
    Metric("mine", torch.add, None),
]


@pytest.mark.parametrize(
    ("column", "task", "monitored"),
    [
        ("val_accuracy", "classification", Monitored("val_accuracy", higher=True)),
        ("val_accuracy", "regression", Monitored("val_loss", higher=False)),
        ("val_accuracy", "multi-label", Monitored("val_loss", higher=False)),
        ("val_loss", "classification", Monitored("val_loss", higher=False)),
        ("val_loss", "none", Monitored("val_loss", higher=False)),
        ("val_loss", "regression", Monitored("val_loss", higher=False)),
        ("val_f1_macro", "classification", Monitored("val_f1_macro", higher=True)),
        ("val_f1_macro", "multi-label", Monitored("val_f1_macro", higher=True)),
        ("val_mean_absolute_error", "regression", Monitored("val_mean_absolute_error", higher=False)),
    ],
)
def test_what_is_monitored_and_which_values_are_better(column, task, monitored):
    assert find_monitor(column, "mine", task, METRICS) == monitored


def test_an_accuracy_that_does_not_exist_is_not_monitored():
    with pytest.raises(RequestError, match=r"loss=mine has no accuracy; use monitor=val_loss"):
        find_monitor("val_accuracy", "mine", "none", [])


def test_a_metric_of_unknown_direction_is_not_monitored():
    with pytest.raises(RequestError, match=r"monitor=val_mine: .* write mine\.higher_is_better = True"):
        find_monitor("val_mine", "mine", "classification", METRICS)
