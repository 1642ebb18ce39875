"""Metrics: functions of a split's outputs and labels, computed when an epoch has ended.

A function takes outputs [N, K], as the model gives them (logits, or predicted numbers), and labels: [N] int64
of classes; [N, K] of 0.0 and 1.0 for multi-label; [N] or [N, D] floats for regression. It returns one number,
as a tensor [] on the device. Axes: N samples, K outputs, D numbers of a sample.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlx.device import accumulator
from dlx.errors import RequestError
from dlx.metrics.catalogue import TOP, TORCHMETRICS, Task, check_names, column_name, known
from dlx.own.target import Target, load_target
from dlx.registry import Registry

Compute = Callable[[Tensor, Tensor], Tensor]
LABELS_FIRST = (
    "y_true",
    "labels",
    "label",
    "target",
    "targets",
)  # names of a first parameter, as scikit-learn's

metrics: Registry[Tensor] = Registry("metrics", "dlx.metrics")


@dataclass(frozen=True)
class Metric:
    """A metric of a run: its column in the history after `train_` and `val_`, and how it is computed."""

    name: str
    compute: Compute
    higher_is_better: bool | None  # None: only the user knows
    own: Target | None = None  # the user's function


def build_metrics(names: Sequence[str], task: Task, outputs: int) -> list[Metric]:
    """Return the metrics of these names for a run of this task with so many outputs.

    Raises RequestError for one that does not fit.
    """
    check_names(names, metrics.builders())
    return [_build(name, task, outputs) for name in names]


def _build(name: str, task: Task, outputs: int) -> Metric:
    if TORCHMETRICS.fullmatch(name):
        from dlx.metrics.from_torchmetrics import OfTorchmetrics

        found = OfTorchmetrics(name, task, outputs)
        return Metric(column_name(name), found, found.higher_is_better, found.target)
    return _own(load_target("metrics", name), outputs) if ":" in name else _built_in(name, task, outputs)


def _built_in(name: str, task: Task, outputs: int) -> Metric:
    found = known(name)
    if found and task not in found.tasks:
        raise RequestError(
            f"metrics=[{name}]: is for {' and '.join(found.tasks)}, but this run's loss and labels make it "
            f"{'neither' if task == 'none' else task}"
        )
    if top := TOP.fullmatch(name):
        classes = max(2, outputs)
        if int(top[1]) >= classes:
            raise RequestError(f"metrics=[{name}]: is always 1 with {classes} classes; use a smaller number")
        return Metric(name, top_k(int(top[1])), True)
    compute = metrics.builders()[name]
    higher = found.higher_is_better if found else getattr(compute, "higher_is_better", None)
    return Metric(name, compute, higher)


def _own(own: Target, outputs: int) -> Metric:
    """Return a user's function as a metric, or an object of their class that is called like one."""
    function = own.call(**_sizes(own, outputs)) if own.is_class else own.builder
    swapped = not own.is_class and next(iter(own.parameters), "") in LABELS_FIRST
    reset = getattr(function, "reset", None)  # of an object that keeps what it has seen

    def compute(outputs_NK: Tensor, labels: Tensor) -> Tensor:
        if isinstance(function, nn.Module):
            function.to(outputs_NK.device)
        alike = outputs_NK[:, 0] if outputs_NK.shape[1] == 1 and labels.dim() == 1 else outputs_NK
        value = function(labels, alike) if swapped else function(alike, labels)
        if reset is not None:
            reset()
        return torch.as_tensor(value, dtype=accumulator(alike.device), device=alike.device).reshape(())

    higher = getattr(own.builder, "higher_is_better", None)
    return Metric(column_name(own.target), compute, higher if isinstance(higher, bool) else None, own)


def _sizes(own: Target, outputs: int) -> dict[str, int]:
    """Return the number of outputs by the names that a class asks for it, as those of torchmetrics do."""
    sizes = {"num_classes": max(2, outputs), "num_labels": outputs, "num_outputs": outputs}
    return {name: size for name, size in sizes.items() if name in own.parameters}


def try_metric(metric: Metric, outputs_NK: Tensor, labels: Tensor) -> None:
    """Call a user's metric as an epoch's end will. Raises RequestError if it fails, or returns no number."""
    if metric.own is not None:
        what = f"it cannot be computed from outputs {list(outputs_NK.shape)} and labels {list(labels.shape)}"
        with torch.no_grad(), metric.own.in_one_line(what):
            metric.compute(outputs_NK, labels)


def top_k(k: int) -> Compute:
    """Return the share of samples whose class is among the `k` largest outputs."""

    def compute(outputs_NK: Tensor, labels_N: Tensor) -> Tensor:
        if outputs_NK.shape[1] == 1:  # two classes, told apart by the sign
            return ((outputs_NK[:, 0] > 0) == (labels_N == 1)).to(accumulator(outputs_NK.device)).mean()
        among_N = (outputs_NK.topk(k).indices == labels_N[:, None]).any(1)
        return among_N.to(accumulator(outputs_NK.device)).mean()

    return compute
