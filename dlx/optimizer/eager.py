"""torch's optimizers without the compiler that they import.

A torch.optim.Optimizer imports torch._dynamo as soon as it is built, and passes through it at each step, so
that torch.compile leaves it alone. The import takes 0.6 of the time of `import torch`; of a step of Adam on
four small tensors the passage takes 70 of 120 us. dlx compiles no optimizer.
"""

import functools
import inspect
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

T = TypeVar("T", bound=Optimizer)
GUARDED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


@functools.cache
def eager(kind: type[T]) -> type[T]:
    """Return a subclass of an optimizer that does the same, without the guards of torch.compile.

    The guards are decorators, and `inspect.unwrap` takes them off; without one it changes nothing. The guard
    around `step` also turns gradients off.
    """
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in GUARDED}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {**methods, "step": step, "__doc__": kind.__doc__})
