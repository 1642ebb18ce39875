"""torch's optimizers without what their steps do for the compiler and for cases that dlx does not have.

A torch.optim.Optimizer imports torch._dynamo as soon as it is built, and passes through it at each step, so
that torch.compile leaves it alone. The import takes 0.6 of the time of `import torch`; of a step of Adam on
four small tensors the passage takes 70 of 120 us. dlx compiles no optimizer.
Of what remains of Adam on the 6 tensors of 784-128-64-10, 180 us, the kernel takes 75; counting the steps of
each tensor, hooks and looking after devices takes most of the rest.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer

T = TypeVar("T", bound=Optimizer)
GUARDED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
KERNELS = {torch.optim.Adam: torch._fused_adam_, torch.optim.AdamW: torch._fused_adamw_}
FUSED = {"fused": True, "amsgrad": False, "maximize": False, "capturable": False, "differentiable": False}


@functools.cache
def eager(kind: type[T]) -> type[T]:
    """Return a subclass of an optimizer that does the same, without the guards of torch.compile.

    The guards are decorators, and `inspect.unwrap` takes them off; without one it changes nothing. The guard
    around `step` also turns gradients off.
    """
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in GUARDED}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    if kind in KERNELS:
        methods["step"] = _by_kernel(KERNELS[kind], methods["step"])
    methods["step"].hooked = True  # torch would wrap it in a record for its profiler, 30 us a step
    return type(kind.__name__, (kind,), {**methods, "__doc__": kind.__doc__})


def _by_kernel(kernel: Callable[..., None], step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step that calls Adam's fused kernel where it can, and else `step`, which does the same."""

    @torch.no_grad()
    def direct(optimizer: Optimizer, *closure: Any) -> Any:
        groups = [_Group(optimizer, group) for group in optimizer.param_groups]
        if closure or not all(group.is_simple for group in groups):
            for state in filter(None, optimizer.state.values()):
                if state["step"].is_cpu:  # it may be that of several parameters, see below
                    state["step"] = state["step"].clone()
            return step(optimizer, *closure)
        for group in groups:
            kernel(
                group.parameters,
                group.gradients,
                [state["exp_avg"] for state in group.states],
                [state["exp_avg_sq"] for state in group.states],
                [],
                _count(group.states),
                lr=group.options["lr"],
                beta1=group.options["betas"][0],
                beta2=group.options["betas"][1],
                weight_decay=group.options["weight_decay"],
                eps=group.options["eps"],
                amsgrad=False,
                maximize=False,
            )
        return None

    return direct


class _Group:
    """The parameters of a group that have a gradient. `is_simple`: the kernel can take them as they are."""

    def __init__(self, optimizer: Optimizer, options: dict[str, Any]) -> None:
        pairs = [(parameter, parameter.grad) for parameter in options["params"]]
        self.options = options
        self.parameters = [parameter for parameter, gradient in pairs if gradient is not None]
        self.gradients = [gradient for _, gradient in pairs if gradient is not None]
        self.states: list[dict[str, Any]] = [optimizer.state.get(each, {}) for each in self.parameters]
        kinds = {(each.dtype, each.is_cpu, each.layout) for each in (*self.parameters, *self.gradients)}
        on_cpu = all(is_cpu and layout is torch.strided for _, is_cpu, layout in kinds)
        self.is_simple = FUSED.items() <= options.items() and on_cpu and len(kinds) == 1 and all(self.states)


def _count(states: list[dict[str, Any]]) -> list[Tensor]:
    """Count a step of each parameter, in a new tensor for all that have taken as many: each takes 9 us."""
    numbers = [float(state["step"]) for state in states]
    counts = {number: torch.full_like(states[0]["step"], number + 1) for number in {*numbers}}
    for state, number in zip(states, numbers, strict=True):
        state["step"] = counts[number]
    return [state["step"] for state in states]
