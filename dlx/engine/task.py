"""What a run learns, which its loss and labels decide, and what it is judged by."""

from collections.abc import Sequence

from torch import Tensor

from dlx.data.dataset import Dataset
from dlx.engine.run import Monitored
from dlx.errors import RequestError
from dlx.loss.losses import Loss
from dlx.metrics.catalogue import Task
from dlx.metrics.metrics import Metric

OF_NUMBERS = "loss=mean_squared_error, mean_absolute_error or huber"


def find_task(name: str, loss: Loss, data: Dataset) -> Task:
    """Return what a run with the loss called `name` learns.

    Raises RequestError if the labels do not fit the loss.
    """
    labels = data.train.labels
    if not loss.classifies:
        return "none"
    if not labels.is_floating_point():
        return "classification"
    if not loss.of_floats:
        raise RequestError(
            f"loss={name}: needs classes, but the labels of data={data.name} are numbers; "
            f"use {OF_NUMBERS}, or binary_cross_entropy if they are all 0 or 1"
        )
    binary = all(_are_binary(split.labels) for split in data.splits)
    if loss.of_floats == "any":
        return "multi-label" if binary and labels.dim() > 1 else "regression"
    if loss.of_floats == "multi-label" and not binary:
        raise RequestError(
            f"loss={name}: needs labels that are 0 or 1, but those of data={data.name} lie between "
            f"{labels.min():g} and {labels.max():g}; use {OF_NUMBERS}"
        )
    return loss.of_floats


def _are_binary(labels: Tensor) -> bool:
    return bool(((labels == 0) | (labels == 1)).all())


def find_monitor(column: str, loss: str, task: Task, metrics: Sequence[Metric]) -> Monitored:
    """Return what to monitor if `column` was asked for: where there is no accuracy, the loss stands for it.

    Raises RequestError if dlx does not know which values of it are better.
    """
    if column == "val_accuracy" and task == "none":
        raise RequestError(f"monitor=val_accuracy: loss={loss} has no accuracy; use monitor=val_loss")
    if column == "val_accuracy" and task != "classification":
        column = "val_loss"
    of_metrics = {f"val_{metric.name}": metric.higher_is_better for metric in metrics}
    higher = of_metrics.get(column, column == "val_accuracy")
    if higher is None:
        name = column.removeprefix("val_")
        raise RequestError(
            f"monitor={column}: dlx cannot know whether higher values are better; "
            f"write {name}.higher_is_better = True, or False, below the function"
        )
    return Monitored(column, higher=higher)
