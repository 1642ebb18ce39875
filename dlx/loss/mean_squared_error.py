"""Mean squared error between the outputs and the classes written as one-hot rows."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from dlx.loss.registry import Loss, losses


@losses.register("mean_squared_error")
@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """torch's mse_loss, averaged over the outputs of a sample."""

    def outputs(self, classes: int) -> int:
        """One output a class."""
        return classes

    def per_sample(self, outputs_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return [B]."""
        targets_BK = F.one_hot(labels_B, outputs_BK.shape[1]).to(outputs_BK.dtype)
        return (outputs_BK - targets_BK).square().mean(1)
