"""Compares autograd's gradients with central differences of the loss, entry by entry.

Meant for float64 on the CPU: a step of 1e-5 gives ten digits of the gradient, in float32 only two.
docs/design.md, "Gradient check", gives the reasons for the steps, the noise bound and the jitter.

Axes: B samples of the batch, K outputs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dlx import rng
from dlx.engine.run import Run
from dlx.errors import RequestError
from dlx.model.models import use_generator

# Multiplied by the entry's magnitude if that is above 1. The first is the most accurate for a smooth loss.
# The others are tried where the loss has a kink nearby or curves strongly.
STEPS = (1e-5, 1e-6, 1e-7, 1e-8)
# Bound on a loss's rounding error, in units of max(1, |loss|): three times the largest of 18,837 measured.
ROUNDING = 8 * torch.finfo(torch.float64).eps
JITTER = 0.1  # in units of the batch's standard deviation
INPUT = "input"


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient. At a kink the loss has no derivative, and `error` means nothing."""

    index: tuple[int, ...]
    autograd: float
    difference: float
    error: float  # relative to the larger of the two; rounding alone stays within the tolerance
    kink: bool


@dataclass(frozen=True)
class TensorCheck:
    """The comparison for one parameter, or for the input."""

    name: str
    shape: tuple[int, ...]
    gradient: float  # the largest |gradient| in the whole tensor, by autograd
    entries: tuple[Entry, ...]

    @property
    def compared(self) -> list[Entry]:
        """The entries that are not at a kink."""
        return [entry for entry in self.entries if not entry.kink]

    @property
    def worst(self) -> Entry | None:
        """The compared entry with the largest relative error; None if all entries are at kinks."""
        return max(self.compared, key=lambda entry: entry.error, default=None)

    def passed(self, tolerance: float) -> bool:
        """Whether every compared entry is within the tolerance."""
        return self.worst is None or self.worst.error <= tolerance


def check_gradients(run: Run, *, samples: int, entries: int, tolerance: float) -> list[TensorCheck]:
    """Compare the gradients of each trainable parameter of `run`, then of the input.

    `entries` of each tensor are compared, 0 meaning all, up to a relative error of `tolerance`. The model is
    in training mode on a batch of `samples`, with the same random draws and buffers in each evaluation.
    Parameters and buffers are restored. Raises RequestError if the loss is not finite, or differs between two
    evaluations.
    """
    inputs, labels_B = jittered_batch(run, samples)
    objective = _Objective(run, inputs.requires_grad_(), labels_B)
    named = [(name, p) for name, p in run.model.named_parameters() if p.requires_grad and p.numel()]
    tensors: list[tuple[str, Tensor]] = [*named, (INPUT, inputs)]
    choices = rng.generator(run.seeds.order, "gradient check")
    results: list[TensorCheck] = []
    run.model.train()
    try:
        loss, gradients = objective.differentiate([tensor for _, tensor in tensors])
        for (name, tensor), gradient in zip(tensors, gradients, strict=True):
            compared = tuple(
                _compare(objective, loss, tensor.detach(), index, float(gradient[index]), tolerance)
                for index in _choose(gradient, entries, choices)
            )
            results.append(TensorCheck(name, tuple(tensor.shape), float(gradient.abs().max()), compared))
    finally:
        objective.restore_buffers()
    return results


def jittered_batch(run: Run, samples: int) -> tuple[Tensor, Tensor]:
    """Return the first samples of epoch 1: inputs [B, ...] with a little noise, and labels [B].

    The noise breaks ties of max pooling between equal pixels of an image's background. At a tie the loss has
    no derivative.
    """
    index_B = torch.randperm(len(run.data.train), generator=rng.generator(run.seeds.order, "order", 1))
    inputs, labels_B = run.data.train.batch(index_B[:samples])
    draws = rng.generator(run.seeds.order, "gradient check jitter")
    noise = torch.randn(inputs.shape, generator=draws, dtype=inputs.dtype)
    return inputs + JITTER * inputs.std(correction=0) * noise, labels_B


class _Objective:
    """The reduced loss of one batch, with the same draws and buffers in every evaluation."""

    def __init__(self, run: Run, inputs: Tensor, labels_B: Tensor) -> None:
        self._run, self._inputs, self._labels_B = run, inputs, labels_B
        self._buffers = {name: buffer.clone() for name, buffer in run.model.named_buffers()}

    def evaluate(self) -> Tensor:
        self.restore_buffers()
        seed, model = self._run.seeds.dropout, self._run.model
        use_generator(model, rng.generator(seed, "dropout", 1))
        with rng.global_state(seed, "module", 1):  # a user's module may draw from it
            outputs_BK = model(self._inputs)
        return self._run.loss.reduce(self._run.loss.per_sample(outputs_BK, self._labels_B))

    @torch.no_grad()
    def value(self) -> float:
        return float(self.evaluate())

    def differentiate(self, tensors: list[Tensor]) -> tuple[float, list[Tensor]]:
        """Return the loss and its gradient for each tensor, zeros if the loss does not depend on it."""
        loss = self.evaluate()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RequestError(f"the loss of the batch is {value}, so its gradient cannot be checked")
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, tensors, allow_unused=True, materialize_grads=True)
        else:  # the model detaches its outputs
            gradients = tuple(map(torch.zeros_like, tensors))
        again = self.value()
        if abs(value - again) > ROUNDING * max(1.0, abs(value)):
            raise RequestError(
                f"the loss of one batch is first {value:.9g}, then {again:.9g}: the model draws random "
                "numbers from outside torch, or remembers earlier batches, and cannot be checked"
            )
        return value, list(gradients)

    @torch.no_grad()
    def restore_buffers(self) -> None:
        """Restore running statistics and other buffers, which could change the next output."""
        for name, buffer in self._run.model.named_buffers():
            if name in self._buffers:
                buffer.copy_(self._buffers[name])


def _choose(gradient: Tensor, entries: int, draws: torch.Generator) -> Iterator[tuple[int, ...]]:
    """Yield the index of the largest entry (a sparse gradient is mostly 0), then of random others."""
    order = torch.randperm(gradient.numel(), generator=draws)
    largest = gradient.abs().argmax()
    chosen = torch.cat([largest[None], order[order != largest]])[: entries or None]
    axes = torch.unravel_index(chosen, gradient.shape)
    for position in range(len(chosen)):  # not zip(*axes): a scalar has no axes, but one entry
        yield tuple(int(axis[position]) for axis in axes)


def _compare(
    objective: _Objective,
    loss: float,
    tensor: Tensor,
    index: tuple[int, ...],
    autograd: float,
    tolerance: float,
) -> Entry:
    """Compare one entry, with smaller and smaller steps until the two agree; if never, look for a kink.

    At a kink, autograd's value is the slope of one side, extrapolated to a step of 0.
    """
    errors, kink, before, first_gap = {}, False, None, math.inf
    for step in STEPS:
        below, central, above = _slopes(objective, loss, tensor, index, step)
        gap, noise = abs(autograd - central), ROUNDING * max(1.0, abs(loss)) / step
        # The noise bound grows as steps shrink, and would finally hide a slightly wrong gradient. A smaller
        # step must therefore close most of the first gap, down to the usual noise, an eighth of the bound.
        noise = min(noise, max(first_gap / 4, noise / 8))
        scale = max(abs(autograd), abs(central))
        allowed = max(tolerance * scale, noise)  # rounding is not an error of the gradient
        if gap <= allowed:
            return Entry(index, autograd, central, gap * tolerance / allowed, kink=False)
        if before is not None:  # a one-sided slope errs in proportion to the step, now a tenth of the last
            limits = [side + (side - last) / 9 for side, last in zip((below, above), before, strict=True)]
            kink = kink or any(abs(autograd - limit) <= 2 * allowed for limit in limits)
        errors[gap / scale if math.isfinite(gap) else math.inf] = central
        first_gap = gap if before is None else first_gap
        before = (below, above)
    error = min(errors)
    return Entry(index, autograd, errors[error], error, kink)


def _slopes(
    objective: _Objective, loss: float, tensor: Tensor, index: tuple[int, ...], step: float
) -> tuple[float, float, float]:
    """Return the slopes below, across and above the entry, over the steps as float64 rounds them."""
    middle = tensor[index].clone()
    step *= max(1.0, abs(float(middle)))
    values, losses = [], []
    try:
        for moved in (middle - step, middle + step):
            tensor[index] = moved
            values.append(float(moved))
            losses.append(objective.value())
    finally:
        tensor[index] = middle
    (low, high), (loss_low, loss_high), at = values, losses, float(middle)
    return (
        (loss - loss_low) / (at - low),
        (loss_high - loss_low) / (high - low),
        (loss_high - loss) / (high - at),
    )
