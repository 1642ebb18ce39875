"""The registry of optimizers: each builds torch.optim's own over the parameters it is given."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from dlx.registry import Registry

# A builder is called with `parameters: Parameters` and its own keys of the YAML. It returns a list,
# since one rule need not fit every parameter (see muon.py); an engine steps them all.
Parameters = Sequence[nn.Parameter]
optimizers: Registry[list[Optimizer]] = Registry("optimizer", "dlx.optimizer")

# The ranges that every update rule shares. A learning rate of 0 is legal: nothing is learned.
LearningRate = Annotated[float, Field(ge=0)]
WeightDecay = Annotated[float, Field(ge=0)]
Epsilon = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
