"""What a loss is here, and the registry of losses.

Axes: B samples of a batch, N samples of a split, K outputs of the model.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from dlx.registry import Registry


@dataclass(frozen=True)
class Loss(ABC):
    """A loss by sample; `reduction` makes of a batch the number whose gradient is followed.

    Histories hold the mean per sample under either reduction, so that they can be compared.
    """

    reduction: Literal["mean", "sum"]
    classifies: ClassVar[bool] = True  # False: no output stands for a class, and there is no accuracy

    @abstractmethod
    def outputs(self, classes: int) -> int:
        """Return how many outputs the model needs for this many classes."""

    @abstractmethod
    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return the loss of each sample, [B]."""

    def correct(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return whether each sample's largest output is its class (or, of one output, its sign), [B]."""
        if outputs_BK.shape[1] == 1:
            return (outputs_BK[:, 0] > 0) == (labels_B == 1)
        return outputs_BK.argmax(1) == labels_B

    def measures(self, outputs_NK: Tensor, labels_N: Tensor) -> dict[str, float]:  # noqa: ARG002
        """Return further columns of the history, of validation at an epoch's end; the same names always."""
        return {}

    def reduce(self, losses_B: Tensor) -> Tensor:
        """Return the mean or the sum over the batch."""
        return losses_B.mean() if self.reduction == "mean" else losses_B.sum()


losses: Registry[Loss] = Registry("loss", "dlx.loss")
