"""Compares a stack with the loop before anything trains: a step on the first samples, and an evaluation.

Two members with different weights and samples are enough to see what mixes them. They are copies, so nothing
of the run changes: no weight, buffer, optimizer or generator.

The comparison is made in float64, where rounding is below 1e-11 and anything larger is another function. In
float32 a deep net's rounding and a small mistake look alike.

Axes: R = 2 members, B batch, K outputs.
"""

import copy
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlx import rng
from dlx.engine import stacked
from dlx.engine.loop import sample_order
from dlx.engine.run import Run
from dlx.engine.side_effects import refuse_side_effects
from dlx.engine.stacked_model import UnstackableError
from dlx.model.models import use_generator

# The largest difference that rounding may make, relative to the largest value of a kind.
ROUNDING = {torch.float64: 1e-6}
ROUNDING_OTHERWISE = 1e-2  # for a module that cannot compute in float64
# A gradient is compared with its own largest value, or with this share of the largest of all gradients: a
# bias before batch norm has a gradient of zero, of which only rounding is left.
SHARE = 1e-3
TINY = 1e-30
MEMBERS = 2
SAMPLES = 8  # of the first batch: in float64, a convolution of a whole one would take seconds

Results = Mapping[str, Tensor | None]  # by name
_known: dict[Hashable, "StackCheck"] = {}


@dataclass(frozen=True)
class StackCheck:
    """How a stack of runs of one kind compares with the loop; `reason` says why not to use it, "" if none."""

    difference: float = 0.0
    reason: str = ""


def check_stack(run: Run) -> StackCheck:
    """Compare a stack of runs like `run` with the loop; once for each kind of run in a process."""
    # Users' classes of one name may be different ones, if their file has changed since.
    key = (stacked.cohort_key(run), *(type(module) for module in run.model.modules()))
    if key not in _known:
        _known[key] = _check(run)
    return _known[key]


def _check(run: Run) -> StackCheck:
    reason = ""
    # A module may be made for its own precision, or for whole batches.
    for precision, samples in (
        (torch.float64, min(SAMPLES, run.batch_size)),
        (next(run.model.parameters()).dtype, run.batch_size),
    ):
        try:
            members = [_copy(run, row, precision) for row in range(MEMBERS)]
            inputs, labels = _batches(run, samples, precision)
            alone = [
                _alone(run, copy.deepcopy(model), row, inputs, labels) for row, model in enumerate(members)
            ]
        except UnstackableError as error:
            return StackCheck(reason=str(error))
        except Exception as error:  # noqa: BLE001 - a user's module may raise any
            reason = _short(error)
            continue
        try:
            together = _together(run, members, inputs, labels)
        except UnstackableError as error:
            return StackCheck(reason=str(error))
        except Exception as error:  # noqa: BLE001 - of any operation within vmap
            return StackCheck(reason=_short(error))
        difference = max(map(_largest_difference, alone, together))
        if difference <= ROUNDING.get(precision, ROUNDING_OTHERWISE):
            return StackCheck(difference)
        return StackCheck(difference, f"as a stack, their first step would differ by {difference:.2g}")
    return StackCheck(reason=reason)


def _copy(run: Run, row: int, dtype: torch.dtype) -> nn.Module:
    """Return a copy of the model with weights of its own, none of them zero."""
    model = copy.deepcopy(run.model).to(dtype)
    draws = rng.generator(row, "check")
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=draws).to(parameter)
            parameter.mul_(1 + 0.1 * noise).add_(0.01 * noise)
    return model


def _batches(run: Run, samples: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the first samples of the first epoch and as many of its last, [R, B, ...], and their labels."""
    order_N = sample_order(run, 1)
    index_RB = torch.stack([order_N[:samples], order_N.flip(0)[:samples]])
    inputs, labels = run.data.train.batch(index_RB.flatten())
    return inputs.to(dtype).view(*index_RB.shape, *inputs.shape[1:]), labels.view(
        *index_RB.shape, *labels.shape[1:]
    )


def _alone(run: Run, model: nn.Module, row: int, inputs: Tensor, labels: Tensor) -> list[Results]:
    """Return what a member computes in the loop; raise UnstackableError if its forward has side effects."""
    use_generator(model, _generator(run, row))
    with refuse_side_effects(model.train(), run.device):
        outputs_BK = model(inputs[row].clone())
    run.loss.reduce(run.loss.per_sample(outputs_BK, labels[row])).backward()  # type: ignore[no-untyped-call]
    results = [
        {"outputs": outputs_BK.detach()},
        {name: parameter.grad for name, parameter in model.named_parameters()},
        {name: buffer.clone() for name, buffer in model.named_buffers()},
    ]
    with torch.no_grad(), rng.global_state(0, "check", device=run.device):
        return [*results, {"outputs": model.eval()(inputs[0].clone())}]


def _together(run: Run, members: Sequence[nn.Module], inputs: Tensor, labels: Tensor) -> list[list[Results]]:
    """Return what a stack computes for each member, as `_alone` does."""
    stack = stacked.stack_models(members, run.data.input_shape)
    stack.train()
    stack.use_generators([_generator(run, row) for row in range(MEMBERS)])
    outputs_RBK = stack(inputs.clone())
    losses = [run.loss.per_sample(*pair) for pair in zip(outputs_RBK, labels, strict=True)]
    torch.stack([run.loss.reduce(losses_B) for losses_B in losses]).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [
        [None if whole.grad is None else whole.grad[row] for whole, _ in stack.shares]
        for row in range(MEMBERS)
    ]
    results: list[list[Results]] = [
        [
            {"outputs": outputs_RBK[row].detach()},
            dict(zip((name for name, _ in model.named_parameters()), gradients[row], strict=True)),
            {name: buffer.clone() for name, buffer in model.named_buffers()},
        ]
        for row, model in enumerate(members)
    ]
    if stack.evaluates:
        stack.eval()
        with torch.no_grad():
            for result, outputs_BK in zip(results, stack(inputs[0].expand_as(inputs)), strict=True):
                result.append({"outputs": outputs_BK})
    return results


def _generator(run: Run, row: int) -> torch.Generator:
    return rng.generator(row, "check dropout", device=run.device)


def _largest_difference(alone: Sequence[Results], together: Sequence[Results]) -> float:
    """Return the largest difference of any number, relative to the largest of its tensor or its kind."""
    largest = 0.0
    for own, stacks in zip(alone, together, strict=False):  # a stack need not evaluate
        most = max((_most(tensor) for tensor in own.values() if tensor is not None), default=0.0)
        for name, tensor in own.items():
            other = stacks[name]
            if tensor is None or other is None:
                largest = max(largest, 0.0 if tensor is other else math.inf)
            elif not torch.equal(tensor, other):
                difference = _most(torch.nan_to_num(tensor) - torch.nan_to_num(other))
                largest = max(largest, difference / max(_most(tensor), SHARE * most, TINY))
    return largest


def _most(tensor: Tensor) -> float:
    return float(torch.nan_to_num(tensor).abs().max()) if tensor.numel() else 0.0


def _short(error: Exception) -> str:
    """Return the first sentence of an error's first line."""
    return re.split(r"\. |\n", f"{error}" or type(error).__name__, maxsplit=1)[0].strip()
