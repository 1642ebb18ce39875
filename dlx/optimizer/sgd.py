"""Stochastic gradient descent, with momentum, Nesterov's variant and weight decay as options."""

import torch
from torch.optim import Optimizer

from dlx.errors import RequestError
from dlx.optimizer.registry import Fraction, LearningRate, Parameters, WeightDecay, optimizers


@optimizers.register("sgd")
def sgd(
    parameters: Parameters,
    *,
    lr: LearningRate,
    momentum: Fraction,
    nesterov: bool,
    weight_decay: WeightDecay,
) -> list[Optimizer]:
    """Build torch.optim.SGD (Sutskever et al., 2013, for momentum); weight decay is an L2 penalty."""
    if nesterov and momentum == 0:
        raise RequestError("optimizer.nesterov=True: needs optimizer.momentum above 0")
    return [
        torch.optim.SGD(
            parameters, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=True
        )
    ]
