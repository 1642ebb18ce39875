"""RMSProp: the gradient divided by a running root mean square of itself."""

import torch
from torch.optim import Optimizer

from dlx.optimizer.registry import Epsilon, Fraction, LearningRate, Parameters, WeightDecay, optimizers


@optimizers.register("rmsprop")
def rmsprop(
    parameters: Parameters,
    *,
    lr: LearningRate,
    alpha: Fraction,
    eps: Epsilon,
    momentum: Fraction,
    centered: bool,
    weight_decay: WeightDecay,
) -> list[Optimizer]:
    """Build torch.optim.RMSprop (Hinton's lecture 6e, 2012); `alpha` is the running mean's decay.

    torch has no fused RMSprop; its multi-tensor form is the fastest there is.
    """
    return [
        torch.optim.RMSprop(
            parameters,
            lr=lr,
            alpha=alpha,
            eps=eps,
            momentum=momentum,
            centered=centered,
            weight_decay=weight_decay,
            foreach=True,
        )
    ]
