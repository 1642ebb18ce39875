"""Metrics of torchmetrics, by the names of its classes: `metrics=[MulticlassF1Score]`.

Its classes take probabilities and integer labels, so outputs are converted as a class expects them: softmax
for Multiclass..., sigmoid for Multilabel..., the probability of the second class for Binary... .
Axes: N samples, K outputs.
"""

import importlib
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from dlx.device import accumulator
from dlx.errors import RequestError, nearest
from dlx.metrics.catalogue import TORCHMETRICS, Task, check_installed
from dlx.own.target import Target

SEARCHED = ("torchmetrics.classification", "torchmetrics.regression", "torchmetrics")
TASKS: dict[str, Task] = {
    "Binary": "classification",
    "Multiclass": "classification",
    "Multilabel": "multi-label",
}


class OfTorchmetrics:
    """An object of torchmetrics that is called like dlx's metrics, with all outputs of a split at once."""

    def __init__(self, name: str, task: Task, outputs: int) -> None:
        self.target = _find(name)
        self.kind = _kind(self.target, task, outputs)
        sizes: dict[str, Any] = {
            "num_classes": max(2, outputs),
            "num_labels": outputs,
            "num_outputs": outputs,
        }
        sizes["task"] = self.kind.lower()
        arguments = {key: value for key, value in sizes.items() if key in self.target.parameters}
        self.metric: nn.Module = self.target.call(**arguments)

    @property
    def higher_is_better(self) -> bool | None:
        """Return whether higher values are better; None if torchmetrics does not say."""
        higher = getattr(self.metric, "higher_is_better", None)
        return higher if isinstance(higher, bool) else None

    def __call__(self, outputs_NK: Tensor, labels: Tensor) -> Tensor:
        """Return the metric [] of outputs [N, K] and labels; nothing is kept for the next call."""
        metric: Any = self.metric.to(outputs_NK.device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a class without samples, in every epoch
            value = metric(*self._converted(outputs_NK, labels))
        metric.reset()
        return torch.as_tensor(value, dtype=accumulator(outputs_NK.device)).reshape(())

    def _converted(self, outputs_NK: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.kind in TASKS:
            return _probabilities(outputs_NK, self.kind), labels.long()
        alike = outputs_NK[:, 0] if outputs_NK.shape[1] == 1 and labels.dim() == 1 else outputs_NK
        return alike, labels


def _probabilities(outputs_NK: Tensor, kind: str) -> Tensor:
    """Return [N, K] for classes or labels, [N] for Binary; one output tells two classes apart by its sign."""
    if kind == "Multilabel":
        return outputs_NK.sigmoid()
    if outputs_NK.shape[1] == 1:
        outputs_NK = torch.cat([torch.zeros_like(outputs_NK), outputs_NK], dim=1)
    probabilities_NK = outputs_NK.softmax(dim=1)
    return probabilities_NK[:, 1] if kind == "Binary" else probabilities_NK


def _find(metric: str) -> Target:
    """Import the class that a name stands for, such as MulticlassF1Score or torchmetrics.MeanSquaredError."""
    check_installed(metric)
    parts = TORCHMETRICS.fullmatch(metric)
    assert parts is not None, "its name is one of torchmetrics"
    names: list[str] = []
    for module_name in [parts[1]] if parts[1] else SEARCHED:
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise RequestError(f"metrics=[{metric}]: {error}") from error
        found = getattr(module, parts[2], None)
        if isinstance(found, type) and issubclass(found, nn.Module):
            return Target("metrics", f"{module_name}:{parts[2]}", found)
        names += [name for name in vars(module) if name[:1].isupper()]
    raise RequestError(
        f"metrics=[{metric}]: torchmetrics has no '{parts[2]}'{nearest(parts[2], names)} "
        "(dlx's own names are in lower case)"
    )


def _kind(target: Target, task: Task, outputs: int) -> str:
    """Return what a class takes: Binary, Multiclass, Multilabel, or "" for numbers. Refuse another task."""
    name = target.target.rpartition(":")[2]
    kind = next((each for each in TASKS if name.startswith(each)), "")
    if "task" in target.parameters:  # F1Score and others choose the class by themselves
        kind = "Multilabel" if task == "multi-label" else "Multiclass"
    if kind and task != TASKS[kind]:
        target.refuse(f"is for {TASKS[kind]}, but this run's loss and labels make it {task}")
    if kind == "Binary" and outputs > 2:
        target.refuse(f"is for 2 classes, but there are {outputs}; use Multiclass{name[6:]}")
    return kind
