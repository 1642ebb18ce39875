"""How the initial weights are drawn: `model.init=kaiming_normal`."""

import math
import re
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from dlx.errors import RequestError, unknown

# torch's own formulas: Kaiming for ReLU over the fan-in (He et al. 2015), Xavier with gain 1 (Glorot & Bengio
# 2010), orthogonal with gain 1 (Saxe et al. 2014).
SCHEMES: dict[str, Callable[..., Tensor]] = {
    "kaiming_normal": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "kaiming_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
    "zeros": lambda weight, generator: nn.init.zeros_(weight),  # noqa: ARG005
}


def initialise(model: nn.Module, scheme: str, generator: torch.Generator) -> None:
    """Draw the weights of every linear and convolution layer anew, in place, and set their biases to zero.

    "default" leaves all weights as torch drew them; norm layers are never changed. `normal:0.02` is a normal
    distribution with standard deviation 0.02. The generator must be on the weights' device. Raises
    RequestError for an unknown scheme or standard deviation, before any weight changes.
    """
    if scheme == "default":
        return
    draw = _scheme(scheme)
    for module in model.modules():
        if isinstance(module, nn.Linear | _ConvNd):
            draw(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _scheme(scheme: str) -> Callable[..., Tensor]:
    """Return the function that draws weights in place."""
    # On a command line, Hydra reads unquoted brackets as one of its own functions; the colon avoids that.
    normal = re.fullmatch(r"normal(?:\((.*)\)|:(.*))?", scheme)
    if normal:
        return partial(nn.init.normal_, std=_standard_deviation(scheme, normal[1] or normal[2] or ""))
    if scheme not in SCHEMES:
        raise unknown("model.init", scheme, ["default", "normal:STD", *SCHEMES])
    return SCHEMES[scheme]


def _standard_deviation(scheme: str, written: str) -> float:
    try:
        std = float(written)
    except ValueError:
        std = math.nan
    if not 0 < std < math.inf:
        raise RequestError(
            f"model.init={scheme}: give the standard deviation, a number above 0: model.init=normal:0.02"
        )
    return std
