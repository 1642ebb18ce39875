"""Binary cross-entropy with logits: one output for two classes, else one yes-or-no output a class."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from dlx.loss.registry import Loss, losses


@losses.register("binary_cross_entropy")
@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """torch's binary_cross_entropy_with_logits, averaged over the outputs of a sample."""

    def outputs(self, classes: int) -> int:
        """One output for two classes, else one a class."""
        return 1 if classes == 2 else classes

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]."""
        outputs = outputs_BK.shape[1]
        targets_BK = labels_B[:, None] if outputs == 1 else F.one_hot(labels_B, outputs)
        losses_BK = F.binary_cross_entropy_with_logits(
            outputs_BK, targets_BK.to(outputs_BK.dtype), reduction="none"
        )
        return losses_BK.mean(1)
