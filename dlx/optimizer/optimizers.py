"""The optimizers, all of them torch.optim's.

A builder takes `parameters` and its own keys of the YAML. It returns a list, because one update rule may not
suit every parameter (see `muon`); the engine steps them all.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from dlx.errors import RequestError
from dlx.optimizer.eager import eager
from dlx.registry import Registry

optimizers: Registry[list[Optimizer]] = Registry("optimizer", "dlx.optimizer")

Parameters = Sequence[nn.Parameter]
NonNegative = Annotated[float, Field(ge=0)]  # also for learning rates: at 0, nothing is learned
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Betas = tuple[Fraction, Fraction]


def build_optimizers(name: str, arguments: Mapping[str, Any], model: nn.Module) -> list[Optimizer]:
    """Build the optimizers of a model's trainable parameters, as schedules need them."""
    built = optimizers.build(name, arguments, parameters=[p for p in model.parameters() if p.requires_grad])
    for group in (group for optimizer in built for group in optimizer.param_groups):
        group["initial_lr"] = group["lr"]  # torch's own name for what schedules multiply
    return built


@optimizers.register("sgd")
def sgd(
    parameters: Parameters, *, lr: NonNegative, momentum: Fraction, nesterov: bool, weight_decay: NonNegative
) -> list[Optimizer]:
    """Build torch.optim.SGD (momentum: Sutskever et al., 2013); weight decay is an L2 penalty."""
    if nesterov and momentum == 0:
        raise RequestError("optimizer.nesterov=True: needs optimizer.momentum above 0")
    return [
        eager(torch.optim.SGD)(
            parameters, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=True
        )
    ]


@optimizers.register("adam")
def adam(
    parameters: Parameters, *, lr: NonNegative, betas: Betas, eps: Positive, weight_decay: NonNegative
) -> list[Optimizer]:
    """Build torch.optim.Adam (Kingma and Ba, 2015); weight decay is an L2 penalty."""
    return [
        eager(torch.optim.Adam)(
            parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
        )
    ]


@optimizers.register("adamw")
def adamw(
    parameters: Parameters, *, lr: NonNegative, betas: Betas, eps: Positive, weight_decay: NonNegative
) -> list[Optimizer]:
    """Build torch.optim.AdamW (Loshchilov and Hutter, 2019); each step shrinks weights by lr * decay."""
    return [
        eager(torch.optim.AdamW)(
            parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
        )
    ]


@optimizers.register("adagrad")
def adagrad(
    parameters: Parameters,
    *,
    lr: NonNegative,
    lr_decay: NonNegative,
    eps: Positive,
    weight_decay: NonNegative,
) -> list[Optimizer]:
    """Build torch.optim.Adagrad (Duchi et al., 2011): rates fall with the sum of squared gradients so far."""
    return [
        eager(torch.optim.Adagrad)(parameters, lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay)
    ]


@optimizers.register("rmsprop")
def rmsprop(
    parameters: Parameters,
    *,
    lr: NonNegative,
    alpha: Fraction,
    eps: Positive,
    momentum: Fraction,
    centered: bool,
    weight_decay: NonNegative,
) -> list[Optimizer]:
    """Build torch.optim.RMSprop (Hinton's lecture 6e, 2012); `alpha` is the decay of the running mean square.

    torch has no fused RMSprop; `foreach` is its fastest form.
    """
    return [
        eager(torch.optim.RMSprop)(
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


@optimizers.register("muon")
def muon(
    parameters: Parameters,
    *,
    lr: NonNegative,
    momentum: Fraction,
    nesterov: bool,
    ns_steps: Annotated[int, Field(ge=1, lt=100)],
    betas: Betas,
    weight_decay: NonNegative,
) -> list[Optimizer]:
    """Build torch.optim.Muon (Jordan, 2024) for matrices and AdamW for biases, norms and convolutions.

    Muon makes the momentum of a matrix orthogonal before each step. The step is scaled to AdamW's size (Liu
    et al., 2025), so that one learning rate serves both.
    """
    matrices = [p for p in parameters if p.ndim == 2]
    others = [p for p in parameters if p.ndim != 2]
    built: list[Optimizer] = []
    if matrices:
        built.append(
            eager(torch.optim.Muon)(
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
        built.append(
            eager(torch.optim.AdamW)(others, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)
        )
    return built
