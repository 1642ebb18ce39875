"""Compares autograd's gradients with central differences of the loss, entry by entry.

Made for float64 on the CPU: a difference over 1e-5 keeps ten digits of the gradient there, in float32 two.
Why these steps, this noise and this jitter: docs/design.md, "Gradient check".

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

# Times the entry's magnitude where that is above 1. The first is the most exact where the loss is smooth;
# the others are tried where it is not, or bends too much.
STEPS = (1e-5, 1e-6, 1e-7, 1e-8)
# The rounding error of one loss, in units of max(1, |loss|): three times the largest of 18,837 measured.
ROUNDING = 8 * torch.finfo(torch.float64).eps
JITTER = 0.1  # of the batch's standard deviation
INPUT = "input"


@dataclass(frozen=True)
class Settings:
    """How much to compare: `samples` in the batch, `entries` of each tensor (0: all), and the tolerance."""

    samples: int
    entries: int
    tolerance: float


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient, both ways. At a kink the loss has no derivative, and `error` says nothing."""

    index: tuple[int, ...]
    autograd: float
    difference: float
    error: float  # relative to the larger of the two, or to what rounding leaves visible
    kink: bool


@dataclass(frozen=True)
class TensorCheck:
    """What was found of one parameter, or of the input."""

    name: str
    shape: tuple[int, ...]
    gradient: float  # the largest magnitude in the whole tensor, by autograd
    entries: tuple[Entry, ...]

    @property
    def compared(self) -> list[Entry]:
        """The entries that are not at a kink."""
        return [entry for entry in self.entries if not entry.kink]

    @property
    def worst(self) -> Entry | None:
        """The compared entry with the largest relative error; None if every one is at a kink."""
        return max(self.compared, key=lambda entry: entry.error, default=None)

    def passed(self, tolerance: float) -> bool:
        """Whether every compared entry is within the tolerance."""
        return self.worst is None or self.worst.error <= tolerance


def check_gradients(run: Run, settings: Settings) -> list[TensorCheck]:
    """Return a comparison for each trainable parameter of `run`, then for the input.

    In training mode, on `generic_batch`, each evaluation with the same draws and buffers; parameters and
    buffers are left as they were. Raises RequestError where the loss is not finite, or not the same twice.
    """
    inputs, labels_B = generic_batch(run, settings.samples)
    objective = _Objective(run, inputs.requires_grad_(), labels_B)
    named = [(name, p) for name, p in run.model.named_parameters() if p.requires_grad and p.numel()]
    tensors: list[tuple[str, Tensor]] = [*named, (INPUT, inputs)]
    choices = rng.generator(run.seeds.order, "gradient check")
    results: list[TensorCheck] = []
    run.model.train()
    try:
        loss, gradients = objective.differentiate([tensor for _, tensor in tensors])
        for (name, tensor), gradient in zip(tensors, gradients, strict=True):
            entries = tuple(
                _compare(objective, loss, tensor.detach(), index, float(gradient[index]), settings.tolerance)
                for index in _choose(gradient, settings.entries, choices)
            )
            results.append(TensorCheck(name, tuple(tensor.shape), float(gradient.abs().max()), entries))
    finally:
        objective.restore_buffers()
    return results


def generic_batch(run: Run, samples: int) -> tuple[Tensor, Tensor]:
    """Return the first samples of the first epoch's order, inputs [B, ...] jittered, and labels [B].

    An image's background is many equal numbers: max pooling ties there, and a loss at a tie has no
    derivative. Normal noise of a tenth of the batch's standard deviation unties them.
    """
    index_B = torch.randperm(len(run.data.train), generator=rng.generator(run.seeds.order, "order", 1))
    inputs, labels_B = run.data.train.batch(index_B[:samples])
    draws = rng.generator(run.seeds.order, "gradient check jitter")
    noise = torch.randn(inputs.shape, generator=draws, dtype=inputs.dtype)
    return inputs + JITTER * inputs.std(correction=0) * noise, labels_B


class _Objective:
    """The reduced loss of a batch, as often as it is asked for: the same draws and buffers every time."""

    def __init__(self, run: Run, inputs: Tensor, labels_B: Tensor) -> None:
        self._run, self._inputs, self._labels_B = run, inputs, labels_B
        self._buffers = {name: buffer.clone() for name, buffer in run.model.named_buffers()}

    def evaluate(self) -> Tensor:
        self.restore_buffers()
        seed, model = self._run.seeds.dropout, self._run.model
        use_generator(model, rng.generator(seed, "dropout", 1))
        with rng.global_state(seed, "module", 1):  # for draws of a user's own module
            outputs_BK = model(self._inputs)
        return self._run.loss.reduce(self._run.loss.per_sample(outputs_BK, self._labels_B))

    @torch.no_grad()
    def value(self) -> float:
        return float(self.evaluate())

    def differentiate(self, tensors: list[Tensor]) -> tuple[float, list[Tensor]]:
        """Return the loss and its gradient by each tensor: zeros where the graph does not reach it."""
        loss = self.evaluate()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RequestError(f"the loss of the batch is {value}: there is nothing to difference")
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, tensors, allow_unused=True, materialize_grads=True)
        else:  # detached on its way: autograd's answer is 0
            gradients = tuple(map(torch.zeros_like, tensors))
        again = self.value()
        if abs(value - again) > ROUNDING * max(1.0, abs(value)):
            raise RequestError(
                f"the loss of one batch is {value:.9g} and then {again:.9g}: the model draws random numbers"
                " from elsewhere than torch, or remembers its last batch, so nothing can be differenced"
            )
        return value, list(gradients)

    @torch.no_grad()
    def restore_buffers(self) -> None:
        """Put back running statistics and the like: a user's own may change the next output."""
        for name, buffer in self._run.model.named_buffers():
            if name in self._buffers:
                buffer.copy_(self._buffers[name])


def _choose(gradient: Tensor, entries: int, draws: torch.Generator) -> Iterator[tuple[int, ...]]:
    """Yield the index of the largest entry, lest a sparse gradient be all zeros, and of random others."""
    order = torch.randperm(gradient.numel(), generator=draws)
    largest = gradient.abs().argmax()
    chosen = torch.cat([largest[None], order[order != largest]])[: entries or None]
    axes = torch.unravel_index(chosen, gradient.shape)
    for place in range(len(chosen)):  # not zip(*axes): a number has no axes, and one entry
        yield tuple(int(axis[place]) for axis in axes)


def _compare(
    objective: _Objective,
    loss: float,
    tensor: Tensor,
    index: tuple[int, ...],
    autograd: float,
    tolerance: float,
) -> Entry:
    """Difference one entry, with smaller steps until both agree, and look for a kink where they do not.

    At a kink autograd follows one side, so its value is that side's slope, extrapolated to a step of 0.
    """
    errors, kink, before, first_gap = {}, False, None, math.inf
    for step in STEPS:
        below, central, above = _slopes(objective, loss, tensor, index, step)
        gap, noise = abs(autograd - central), ROUNDING * max(1.0, abs(loss)) / step
        # Noise grows as steps shrink. One that explains the first gap closes most of it; what it leaves may
        # be the usual noise, an eighth of the bound: else a gradient slightly wrong would drown at last.
        noise = min(noise, max(first_gap / 4, noise / 8))
        scale = max(abs(autograd), abs(central))
        allowed = max(tolerance * scale, noise)  # what rounding may have done is no error
        if gap <= allowed:
            return Entry(index, autograd, central, gap * tolerance / allowed, kink=False)
        if before is not None:  # a one-sided slope is off by a multiple of the step, here a tenth of the last
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
    """Return the slopes from below, across and above, over the steps that float64 really takes."""
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
