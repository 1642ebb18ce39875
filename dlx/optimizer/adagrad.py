"""AdaGrad: each parameter's rate falls with the sum of its squared gradients so far."""

from typing import Annotated

import torch
from pydantic import Field
from torch.optim import Optimizer

from dlx.optimizer.registry import Epsilon, LearningRate, Parameters, WeightDecay, optimizers


@optimizers.register("adagrad")
def adagrad(
    parameters: Parameters,
    *,
    lr: LearningRate,
    lr_decay: Annotated[float, Field(ge=0)],
    eps: Epsilon,
    weight_decay: WeightDecay,
) -> list[Optimizer]:
    """Build torch.optim.Adagrad (Duchi et al., 2011)."""
    return [torch.optim.Adagrad(parameters, lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay)]
