"""Muon: momentum whose matrix is made orthogonal before each step; AdamW for what is no matrix."""

from typing import Annotated

import torch
from pydantic import Field
from torch.optim import Optimizer

from dlx.optimizer.registry import Fraction, LearningRate, Parameters, WeightDecay, optimizers


@optimizers.register("muon")
def muon(
    parameters: Parameters,
    *,
    lr: LearningRate,
    momentum: Fraction,
    nesterov: bool,
    ns_steps: Annotated[int, Field(ge=1)],
    betas: tuple[Fraction, Fraction],
    weight_decay: WeightDecay,
) -> list[Optimizer]:
    """Build torch.optim.Muon (Jordan, 2024) for the matrices and AdamW for biases, norms and convolutions.

    Muon's step is scaled to AdamW's size (Liu et al., 2025), so that one learning rate serves both.
    """
    matrices = [p for p in parameters if p.ndim == 2]
    others = [p for p in parameters if p.ndim != 2]
    built: list[Optimizer] = []
    if matrices:
        built.append(
            torch.optim.Muon(
                matrices,
                lr=lr,
                momentum=momentum,
                nesterov=nesterov,
                ns_steps=ns_steps,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    if others:
        built.append(torch.optim.AdamW(others, lr=lr, betas=betas, weight_decay=weight_decay, fused=True))
    return built
