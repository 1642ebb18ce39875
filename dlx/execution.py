"""How a run's operations are executed: their precision, the same bits each time, compiled, as CUDA graphs."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlx.device import describe_device
from dlx.errors import RequestError
from dlx.run.paths import cache_root

NO_DETERMINISTIC = " does not have a deterministic implementation"  # torch's words, after the operation


@dataclass(frozen=True)
class Execution:
    """The keys `precision`, `deterministic`, `compile` and `cuda_graphs` of a run.

    `precision` is that of matrix products and convolutions: the type of the weights, or one that takes their
    place on devices that have it (tf32, bfloat16). Weights, sums and losses keep the weights' type.
    """

    precision: str = "float32"
    deterministic: bool = False
    compile: bool = False
    cuda_graphs: bool = True

    def outputs(self, model: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Return the model's outputs in the type of its inputs."""
        if self.precision != "bfloat16":
            return model(inputs)
        with torch.autocast(inputs.device.type, torch.bfloat16):
            return model(inputs).to(inputs.dtype)

    @property
    def is_plain(self) -> bool:
        """Whether a model's forward pass is no more than a call of the model."""
        return self.precision != "bfloat16" and not self.compile

    def forward(self, model: nn.Module) -> Callable[[Tensor], Tensor]:
        """Return what computes the model's outputs in training: with `compile` a compiled version.

        It shares the model's weights. Batches have at most two sizes, and each gets its own code: code for
        all sizes is slower.
        """
        if self.is_plain:
            return model
        return functools.partial(self.outputs, torch.compile(model, dynamic=False) if self.compile else model)


def prepare(execution: Execution, device: torch.device) -> None:
    """Set torch's switches for a run on `device`; they hold for the process, until the next run sets them.

    Raises RequestError if this device or machine cannot do what is asked.
    """
    _check_precision(execution.precision, device)
    # torch.use_deterministic_algorithms does the same and imports the compiler, which takes seconds.
    torch.set_deterministic_debug_mode("error" if execution.deterministic else "default")
    if device.type == "cuda":
        tf32 = execution.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32  # torch's own default is true
    if execution.compile:
        _check_compiler(device)
        torch.use_deterministic_algorithms(execution.deterministic)  # also tells the compiler


def operation_without(error: BaseException) -> str:
    """Return the operation that an error of torch's says has no deterministic version; "" for others."""
    operation, found, _ = str(error).partition(NO_DETERMINISTIC)
    return operation if found else ""


def _check_precision(precision: str, device: torch.device) -> None:
    if precision not in ("tf32", "bfloat16"):
        return
    # Both came with compute capability 8.0; older GPUs compute in float32 or emulate bfloat16 slowly.
    recent = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    if precision == "tf32" and not recent:
        raise RequestError(
            f"precision=tf32: {describe_device(device)} has no TF32, which needs an NVIDIA GPU of compute "
            "capability 8.0 or more; use precision=float32"
        )
    able = recent if device.type == "cuda" else torch.amp.is_autocast_available(device.type)
    if precision == "bfloat16" and not able:
        raise RequestError(
            f"precision=bfloat16: {describe_device(device)} cannot compute in it; use precision=float32"
        )


@functools.cache
def _check_compiler(device: torch.device) -> None:
    """Compile something small, because only an attempt shows whether this machine has what it takes."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_root() / "compiled"))
    try:
        torch.compile(_something_small)(torch.ones(2, device=device))
    except Exception as error:  # of the compiler, Triton or the file system
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise RequestError(f"compile=true: torch cannot compile on this machine: {said}") from error


def _something_small(x: Tensor) -> Tensor:
    return torch.sin(x) + 1
