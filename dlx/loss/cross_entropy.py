"""Cross-entropy of the softmax over the classes, with label smoothing as an option."""

from dataclasses import dataclass
from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from dlx.loss.registry import Loss, losses


@losses.register("cross_entropy")
@dataclass(frozen=True)
class CrossEntropy(Loss):
    """torch's cross_entropy; smoothing spreads that share of the target over all classes.

    (Szegedy et al., 2016.) Validation losses are smoothed like the training's.
    """

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]

    def outputs(self, classes: int) -> int:
        """One output a class."""
        return classes

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]."""
        return F.cross_entropy(outputs_BK, labels_B, reduction="none", label_smoothing=self.label_smoothing)
