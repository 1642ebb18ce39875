"""Adam, and AdamW, which takes the weight decay out of the gradient."""

import torch
from torch.optim import Optimizer

from dlx.optimizer.registry import Epsilon, Fraction, LearningRate, Parameters, WeightDecay, optimizers


@optimizers.register("adam")
def adam(
    parameters: Parameters,
    *,
    lr: LearningRate,
    betas: tuple[Fraction, Fraction],
    eps: Epsilon,
    weight_decay: WeightDecay,
) -> list[Optimizer]:
    """Build torch.optim.Adam (Kingma and Ba, 2015); weight decay is an L2 penalty in the gradient."""
    return [torch.optim.Adam(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)]


@optimizers.register("adamw")
def adamw(
    parameters: Parameters,
    *,
    lr: LearningRate,
    betas: tuple[Fraction, Fraction],
    eps: Epsilon,
    weight_decay: WeightDecay,
) -> list[Optimizer]:
    """Build torch.optim.AdamW (Loshchilov and Hutter, 2019): each step shrinks weights by lr * decay."""
    return [torch.optim.AdamW(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)]
