"""The user's own optimizer: `optimizer=custom optimizer.target=package.module:Name`.

This runs the user's code.
"""

from dataclasses import replace
from typing import Any

from torch.optim import Optimizer

from dlx.optimizer.eager import eager
from dlx.optimizer.optimizers import Parameters, optimizers
from dlx.own.target import load_target

OWN_KEYS = ("name", "target")  # of the group optimizer


@optimizers.register("custom")
def custom(parameters: Parameters, *, target: str, **arguments: Any) -> list[Optimizer]:
    """Import `target`, a class or function, and call it with the model's parameters and the other keys.

    It returns a torch.optim.Optimizer or a list of them, whose groups have an `lr` for schedules to scale.
    Raises RequestError for all that the user can put right.
    """
    own = load_target("optimizer", target)
    if isinstance(own.builder, type) and own.builder.__module__.startswith("torch.optim."):
        own = replace(own, builder=eager(own.builder))
    checked = own.check(arguments, {}, OWN_KEYS, first=1)
    with own.in_one_line():
        built = own.call(parameters, **checked)
        listed = list(built) if isinstance(built, list | tuple) else [built]
    if not listed or not all(isinstance(each, Optimizer) for each in listed):
        own.refuse(f"returned a {type(built).__name__}, not a torch.optim.Optimizer or a list of them")
    groups = [group for optimizer in listed for group in optimizer.param_groups]
    if not all(isinstance(group.get("lr"), int | float) for group in groups):
        own.refuse("a parameter group of its optimizer has no number 'lr', which schedules scale")
    ours = {id(parameter) for parameter in parameters}
    if not all(id(parameter) in ours for group in groups for parameter in group["params"]):
        own.refuse("its optimizer steps other tensors than the parameters that it was given")
    return listed
