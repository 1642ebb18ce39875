"""Metrics of predicted numbers, defined and tested as in scikit-learn.

Several numbers a sample count alike: the metric is the mean of their metrics. Axes: N samples, D numbers.
"""

import torch
from torch import Tensor

from dlx.device import accumulator
from dlx.metrics.metrics import metrics


@metrics.register("mae")
def mae(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean absolute error, in the unit of the labels."""
    return _errors(outputs, labels).abs().mean()


@metrics.register("rmse")
def rmse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the root of the mean squared error, in the unit of the labels."""
    return _errors(outputs, labels).square().mean(0).sqrt().mean()


@metrics.register("r2")
def r2(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return R², the share of the labels' variance that the outputs explain; below 0 if the mean does better.

    Labels that are all equal have none to explain: 1 if they are predicted exactly, else 0.
    """
    left_D = _errors(outputs, labels).square().sum(0)
    labels_ND = labels.to(left_D.dtype).reshape(len(labels), -1)
    whole_D = (labels_ND - labels_ND.mean(0)).square().sum(0)
    constant_D = torch.where(left_D == 0, 1.0, 0.0).to(left_D.dtype)
    return torch.where(whole_D > 0, 1 - left_D / whole_D, constant_D).mean()


def _errors(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the differences [N, D], in float64 where the device has it."""
    kind = accumulator(outputs.device)
    return outputs.to(kind) - labels.to(kind).reshape(outputs.shape)
