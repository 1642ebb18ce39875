"""The base class of losses, and the losses for classes.

Axes: B samples of a batch, N samples of a split, K outputs of the model.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from dlx.registry import Registry


@dataclass(frozen=True)
class Loss(ABC):
    """A loss per sample; `reduction` turns a batch of them into the number that is minimised.

    Histories hold the mean per sample under either reduction, so that they can be compared.
    """

    reduction: Literal["mean", "sum"]
    classifies: ClassVar[bool] = True  # False: the outputs are not classes, and there is no accuracy

    def outputs(self, classes: int) -> int:
        """Return how many outputs the model needs for this many classes: one per class."""
        return classes

    @abstractmethod
    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return the loss of each sample, [B]."""

    def correct(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return whether the largest output (or the sign of a single one) is the sample's class, [B]."""
        if outputs_BK.shape[1] == 1:
            return (outputs_BK[:, 0] > 0) == (labels_B == 1)
        return outputs_BK.argmax(1) == labels_B

    def measures(self, outputs_NK: Tensor, labels_N: Tensor) -> dict[str, float]:  # noqa: ARG002
        """Return further columns of the history, from the validation split; the same names every epoch."""
        return {}

    def reduce(self, losses_B: Tensor) -> Tensor:
        """Return the mean or the sum over the batch."""
        return losses_B.mean() if self.reduction == "mean" else losses_B.sum()

    def with_gradient(self, outputs_BK: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each sample [B], and the reduced loss's gradient by the outputs [B, K]."""
        with torch.enable_grad():
            inputs_BK = outputs_BK.detach().requires_grad_()
            losses_B = self.per_sample(inputs_BK, labels_B)
            (gradient_BK,) = torch.autograd.grad(self.reduce(losses_B), inputs_BK)
        return losses_B.detach(), gradient_BK


losses: Registry[Loss] = Registry("loss", "dlx.loss", "dlx.surface.descent")


@losses.register("cross_entropy")
@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Cross-entropy of the softmax over the classes.

    `label_smoothing` spreads that share of the target over all classes (Szegedy et al., 2016), in training
    and in validation.
    """

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]."""
        return F.cross_entropy(outputs_BK, labels_B, reduction="none", label_smoothing=self.label_smoothing)

    def with_gradient(self, outputs_BK: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses [B] and gradient [B, K], by autograd's kernels but in a quarter of its time."""
        if self.label_smoothing:
            return super().with_gradient(outputs_BK, labels_B)
        logarithms_BK, index_B1 = torch.log_softmax(outputs_BK, 1), labels_B[:, None]
        weight = 1 / len(labels_B) if self.reduction == "mean" else 1.0
        of_logarithms_BK = torch.zeros_like(outputs_BK).scatter_(1, index_B1, -weight)
        return (
            logarithms_BK.gather(1, index_B1).neg_().squeeze(1),
            torch._log_softmax_backward_data(of_logarithms_BK, logarithms_BK, 1, outputs_BK.dtype),
        )


@losses.register("binary_cross_entropy")
@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """Binary cross-entropy with logits, averaged over the outputs of a sample.

    Two classes share one output; with more, each class has a yes-or-no output of its own.
    """

    def outputs(self, classes: int) -> int:
        """Return 1 for two classes, otherwise one per class."""
        return 1 if classes == 2 else classes

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]."""
        outputs = outputs_BK.shape[1]
        targets_BK = labels_B[:, None] if outputs == 1 else F.one_hot(labels_B, outputs)
        losses_BK = F.binary_cross_entropy_with_logits(
            outputs_BK, targets_BK.to(outputs_BK.dtype), reduction="none"
        )
        return losses_BK.mean(1)


@losses.register("mean_squared_error")
@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """Squared difference from the one-hot class, averaged over the outputs of a sample."""

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]."""
        targets_BK = F.one_hot(labels_B, outputs_BK.shape[1]).to(outputs_BK.dtype)
        return (outputs_BK - targets_BK).square().mean(1)
