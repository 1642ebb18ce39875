"""The base class of losses, and the losses of classes, of several labels at once and of numbers.

Labels are [B] int64 for classes, [B, K] of 0.0 and 1.0 for several labels, [B] or [B, K] floats for numbers.
Axes: B samples of a batch, N samples of a split, K outputs of the model.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from dlx.registry import Registry

# What labels that are floats make of a loss: nothing, because it needs classes; several yes-or-no labels;
# numbers; or either of these.
OfFloats = Literal["", "multi-label", "regression", "any"]


@dataclass(frozen=True)
class Loss(ABC):
    """A loss per sample; `reduction` turns a batch of them into the number that is minimised.

    Histories hold the mean per sample under either reduction, so that they can be compared.

    Attributes:
        reduction: "mean" or "sum" over the batch
        classifies: whether the outputs are classes; if not, there is no accuracy
        of_floats: what labels that are floats make of the loss; "": it needs classes
    """

    reduction: Literal["mean", "sum"]
    classifies: ClassVar[bool] = True  # False: the outputs are not classes, and there is no accuracy
    of_floats: ClassVar[OfFloats] = ""  # what labels that are floats make of it

    def outputs(self, classes: int) -> int:
        """Return how many outputs the model needs for this many classes: one per class."""
        return classes

    @abstractmethod
    def per_sample(self, outputs_BK: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of each sample, [B]."""

    def correct(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return whether the largest output (or the sign of a single one) is the sample's class, [B].

        Labels that are floats are no classes, so no output is.
        """
        if labels_B.is_floating_point():
            return torch.zeros(len(labels_B), dtype=torch.bool, device=labels_B.device)
        if outputs_BK.shape[1] == 1:
            return (outputs_BK[:, 0] > 0) == (labels_B == 1)
        return outputs_BK.argmax(1) == labels_B

    def measures(self, outputs_NK: Tensor, labels_N: Tensor) -> dict[str, float]:  # noqa: ARG002
        """Return further columns of the history, from the validation split; the same names every epoch."""
        return {}

    def reduce(self, losses: Tensor) -> Tensor:
        """Return the mean or the sum over the last axis, the batch."""
        return losses.mean(-1) if self.reduction == "mean" else losses.sum(-1)

    def gradient(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each sample and the gradient by the outputs of the batch's reduced loss.

        Shapes: [B, K] and [B] -> [B] and [B, K]; or with an axis of runs before, of a loss each.
        """
        samples = outputs.shape[:-1]
        with torch.enable_grad():
            variable = outputs.detach().requires_grad_()
            losses = self.per_sample(variable.flatten(0, -2), labels.flatten(0, len(samples) - 1)).view(
                samples
            )
            (gradient,) = torch.autograd.grad(self.reduce(losses).sum(), variable)
        return losses.detach(), gradient


Gradient = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # a loss's `gradient`
losses: Registry[Loss] = Registry("loss", "dlx.loss", "dlx.surface.descent")


Weights = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]


@functools.lru_cache(maxsize=32)  # otherwise copied to the device in every step
def _as_tensor(
    weights: tuple[float, ...] | str | None, dtype: torch.dtype, device: torch.device
) -> Tensor | None:
    assert not isinstance(weights, str), "the classes of the data have been counted"
    return None if weights is None else torch.tensor(weights, dtype=dtype, device=device)


@losses.register("cross_entropy")
@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Cross-entropy of the softmax over the classes.

    `label_smoothing` spreads that share of the target over all classes (Szegedy et al., 2016), and
    `class_weights` [K] multiply the loss of each class's samples, in training and in validation.
    """

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    class_weights: Weights | Literal["balanced"] | None = None  # build.py counts what balances the classes

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]."""
        return F.cross_entropy(
            outputs_BK,
            labels_B,
            weight=_as_tensor(self.class_weights, outputs_BK.dtype, outputs_BK.device),
            reduction="none",
            label_smoothing=self.label_smoothing,
        )

    def gradient(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Do as every loss does, with autograd's kernels but in a quarter of its time."""
        if self.label_smoothing or self.class_weights:
            return super().gradient(outputs, labels)
        logarithms, index = torch.log_softmax(outputs, -1), labels.unsqueeze(-1)
        weight = 1 / labels.shape[-1] if self.reduction == "mean" else 1.0
        of_logarithms = torch.zeros_like(logarithms).scatter_(-1, index, -weight)
        of_outputs = torch._log_softmax_backward_data(of_logarithms, logarithms, -1, outputs.dtype)
        return logarithms.gather(-1, index).neg_().squeeze(-1), of_outputs


@losses.register("binary_cross_entropy")
@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """Binary cross-entropy with logits, averaged over the outputs of a sample.

    Two classes share one output; with more, each class has a yes-or-no output of its own. So has each of
    several labels.
    """

    of_floats: ClassVar[OfFloats] = "multi-label"

    def outputs(self, classes: int) -> int:
        """Return 1 for two classes, otherwise one per class."""
        return 1 if classes == 2 else classes

    def per_sample(self, outputs_BK: Tensor, labels: Tensor) -> Tensor:
        """Return [B]."""
        targets_BK = _targets(outputs_BK, labels)
        return F.binary_cross_entropy_with_logits(outputs_BK, targets_BK, reduction="none").mean(1)


class Distance(Loss):
    """How far the outputs are from the numbers, or from the one-hot class."""

    of_floats: ClassVar[OfFloats] = "regression"


@losses.register("mean_squared_error")
@dataclass(frozen=True)
class MeanSquaredError(Distance):
    """Squared difference from the numbers or the one-hot class, averaged over the outputs of a sample."""

    def per_sample(self, outputs_BK: Tensor, labels: Tensor) -> Tensor:
        """Return [B]."""
        return (outputs_BK - _targets(outputs_BK, labels)).square().mean(1)


@losses.register("mean_absolute_error")
@dataclass(frozen=True)
class MeanAbsoluteError(Distance):
    """Absolute difference from the numbers or the one-hot class, averaged over the outputs of a sample."""

    def per_sample(self, outputs_BK: Tensor, labels: Tensor) -> Tensor:
        """Return [B]."""
        return (outputs_BK - _targets(outputs_BK, labels)).abs().mean(1)


@losses.register("huber")
@dataclass(frozen=True)
class Huber(Distance):
    """Squared near 0 and absolute further away (Huber, 1964), averaged over the outputs of a sample.

    A difference d costs d² / 2 up to `delta`, and delta (|d| - delta / 2) beyond.
    """

    delta: Annotated[float, Field(gt=0)]

    def per_sample(self, outputs_BK: Tensor, labels: Tensor) -> Tensor:
        """Return [B]."""
        targets_BK = _targets(outputs_BK, labels)
        return F.huber_loss(outputs_BK, targets_BK, reduction="none", delta=self.delta).mean(1)


def _targets(outputs_BK: Tensor, labels: Tensor) -> Tensor:
    """Return what each output should be [B, K]: the labels that are floats, or the one-hot class."""
    if labels.is_floating_point():
        return labels.to(outputs_BK.dtype).reshape(outputs_BK.shape)
    outputs = outputs_BK.shape[1]
    one_hot_BK = labels[:, None] if outputs == 1 else F.one_hot(labels, outputs)
    return one_hot_BK.to(outputs_BK.dtype)
