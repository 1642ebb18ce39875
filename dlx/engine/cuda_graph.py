"""Training steps as CUDA graphs: a step's hundred launches become one.

On a GPU, steps of small nets are bound by launches: for a run of 784-128-64-10 on an H100, an epoch took
70 ms, and 5 with its steps as graphs. A graph repeats the operations that it has recorded, on the same
memory. So batches are copied to where the first one was, learning rates are tensors, and dropout draws from
generators that the graph knows. What draws or decides in Python cannot be recorded.

Before anything trains, a graph's first step is compared with the same step taken without it.

Axes: B samples of a batch, K outputs.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from dlx.engine.run import Run
from dlx.engine.side_effects import side_effects
from dlx.model.models import drops
from dlx.optimizer.eager import eager

log = logging.getLogger(__name__)

# Takes a step on inputs [..., B, *] and labels [..., B]; returns losses [..., B] and outputs [..., B, K].
Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

# The update rules whose learning rate may be a tensor on the device, and whose state is there too.
RULES = (SGD, Adam, AdamW)
CAPTURED = (*RULES, *map(eager, RULES))
# The largest difference from a step without a graph, relative to the largest value of a tensor. The same
# operations run on the same numbers. Only a learning rate in float32 and sums by atomic adds may differ.
ROUNDING = 1e-4


class Graph(Protocol):
    """Records work on a device once, and repeats it."""

    def warm_up(self, work: Callable[[], object]) -> None:
        """Do the work once without recording it."""

    def capture(
        self, work: Callable[[], tuple[Tensor, ...]], generators: Sequence[torch.Generator]
    ) -> tuple[Tensor, ...]:
        """Record the work, which draws from these generators; return its results, which `replay` renews."""

    def replay(self) -> None:
        """Do the recorded work again."""


class CudaGraph:
    """A torch.cuda.CUDAGraph."""

    def __init__(self) -> None:
        self._graph = torch.cuda.CUDAGraph()

    def warm_up(self, work: Callable[[], object]) -> None:
        """Do the work on a stream of its own, as torch asks for before a capture."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)

    def capture(
        self, work: Callable[[], tuple[Tensor, ...]], generators: Sequence[torch.Generator]
    ) -> tuple[Tensor, ...]:
        """Record the work; the device does nothing yet."""
        for generator in generators:
            self._graph.register_generator_state(generator)
        stream = torch.cuda.current_stream()
        try:
            with torch.cuda.graph(self._graph):
                return work()
        except BaseException:
            for generator in generators:  # torch leaves them as if the capture went on
                new = torch.Generator(device=generator.device)
                generator.graphsafe_set_state(new.graphsafe_get_state())
            raise
        finally:
            torch.cuda.set_stream(stream)  # after a failure, torch leaves its own one set

    def replay(self) -> None:
        """Do the recorded work on the current stream."""
        self._graph.replay()


def as_graphs(
    step: Step, runs: Sequence[Run], optimizers: Sequence[Optimizer], generators: Sequence[torch.Generator]
) -> Step:
    """Return a function that does as `step`, through CUDA graphs where that works.

    `optimizers` are those that `step` steps, and `generators` those that dropout draws from, in every epoch.
    """
    if not may_capture(runs, optimizers):
        return step
    models = [run.model for run in runs]
    drawn = generators if any(map(drops, models)) else []
    return GraphedStep(step, models, optimizers, drawn, CudaGraph)


def may_capture(runs: Sequence[Run], optimizers: Sequence[Optimizer]) -> bool:
    """Return whether a step of these runs can be a CUDA graph, as far as can be known without trying."""
    run = runs[0]
    return (
        run.device.type == "cuda"
        and run.execution.cuda_graphs
        and not run.execution.compile
        and run.execution.precision != "float64"  # a rate in float32 would be too rough
        and all(type(optimizer) in CAPTURED for optimizer in optimizers)
        and not any(each.probes.in_steps or each.probes.layers for each in runs)
        # A stack's members have been checked for that before it was planned.
        and not (len(runs) == 1 and side_effects(run))
    )


class GraphedStep:
    """Does as `step`, with a graph for each shape of batch; without graphs from the first that fails."""

    def __init__(
        self,
        step: Step,
        models: Sequence[nn.Module],
        optimizers: Sequence[Optimizer],
        generators: Sequence[torch.Generator],
        make_graph: Callable[[], Graph],
    ) -> None:
        self._step, self._make_graph = step, make_graph
        self._changed = _Changed(models, optimizers, generators)
        self._rates = _Rates(optimizers)
        self._captured: dict[torch.Size, _Captured] = {}
        self._works = True

    def __call__(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Take a step with the optimizers' current learning rates; return losses and outputs."""
        if self._works and inputs.shape not in self._captured:
            self._capture(inputs, labels)
        if not self._works:
            return self._step(inputs, labels)
        self._rates.update()
        losses, outputs = self._captured[inputs.shape].replay(inputs, labels)
        return losses, outputs

    def _capture(self, inputs: Tensor, labels: Tensor) -> None:
        """Capture a step on batches of this shape, and compare it; everything that it changes is restored."""
        before, reason = self._changed.save(), ""
        try:
            captured = _Captured(self._make_graph(), self._step, inputs, labels)
            expected = [*captured.warm_up(), *self._changed.tensors()]
            expected = [tensor.detach().clone() for tensor in expected]
            self._changed.restore(before)
            kept = [*map(id, self._changed.tensors())]
            with self._rates.as_tensors():
                captured.capture(self._changed.generators)
            replaces = [*map(id, self._changed.tensors())] != kept
            self._changed.restore(before)
            self._rates.update()
            got = [*captured.replay(inputs, labels), *self._changed.tensors()]
            difference = max(map(_difference, expected, got))
            if replaces:
                reason = "a step replaces tensors instead of changing them"
            elif not difference <= ROUNDING:
                reason = f"a step would differ by {difference:.2g}"
            else:
                self._captured[inputs.shape] = captured
        except Exception as error:  # noqa: BLE001 - of what cannot be recorded, or the step's own: it comes again
            reason = str(error).partition("\n")[0]
        self._changed.restore(before)
        if reason:
            log.warning("training goes on without CUDA graphs: %s", reason)
            self._works = False
            self._captured.clear()


class _Captured:
    """A step on batches of one shape: its graph, and the memory that the graph reads and writes."""

    def __init__(self, graph: Graph, step: Step, *batch: Tensor) -> None:
        self._graph, self._step = graph, step
        self._batch = [tensor.clone() for tensor in batch]
        self._results: tuple[Tensor, ...] = ()

    def warm_up(self) -> tuple[Tensor, ...]:
        """Take a step without recording it."""
        self._graph.warm_up(self._work)
        return self._results

    def capture(self, generators: Sequence[torch.Generator]) -> None:
        """Record a step."""
        self._results = self._graph.capture(self._work, generators)

    def replay(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """Take a step on this batch; return copies, because the next step overwrites the results."""
        for kept, tensor in zip(self._batch, batch, strict=True):
            kept.copy_(tensor)
        self._graph.replay()
        return tuple(result.clone() for result in self._results)

    def _work(self) -> tuple[Tensor, ...]:
        inputs, labels = self._batch
        self._results = self._step(inputs, labels)
        return self._results


class _Rates:
    """The learning rates of optimizers as tensors on the device, which a graph can read."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        # The fused kernels read float32.
        self._tensors = [
            torch.full((), group["lr"], dtype=torch.float32, device=group["params"][0].device)
            for group in self._groups
        ]
        self._written = [group["lr"] for group in self._groups]

    @contextmanager
    def as_tensors(self) -> Iterator[None]:
        """Let the optimizers read the tensors, as a step that is captured has to."""
        kept = [dict(group) for group in self._groups]
        try:
            for group, tensor in zip(self._groups, self._tensors, strict=True):
                group["lr"] = tensor
                if "capturable" in group:
                    group["capturable"] = True
            yield
        finally:
            for group, before in zip(self._groups, kept, strict=True):
                group.update(before)

    def update(self) -> None:
        """Write the current rates into the tensors, as far as they have changed."""
        for index, (group, tensor) in enumerate(zip(self._groups, self._tensors, strict=True)):
            if group["lr"] != self._written[index]:
                tensor.fill_(group["lr"])
                self._written[index] = group["lr"]


class _Changed:
    """What a step changes: parameters, buffers, the optimizers' state, and its generators."""

    def __init__(
        self,
        models: Sequence[nn.Module],
        optimizers: Sequence[Optimizer],
        generators: Sequence[torch.Generator],
    ) -> None:
        self._models, self._optimizers, self.generators = models, optimizers, generators

    def tensors(self) -> list[Tensor]:
        """Return the tensors, which stay the same ones; an optimizer's come with its first step."""
        of_models = [t for model in self._models for t in (*model.parameters(), *model.buffers())]
        states = [state for optimizer in self._optimizers for state in optimizer.state.values()]
        of_states = [value for state in states for value in state.values() if isinstance(value, Tensor)]
        return [*of_models, *of_states]

    def save(self) -> tuple[dict[int, Tensor], list[Tensor]]:
        """Return a copy of what there is now."""
        copies = {id(tensor): tensor.detach().clone() for tensor in self.tensors()}
        return copies, [generator.get_state() for generator in self.generators]

    @torch.no_grad()
    def restore(self, saved: tuple[dict[int, Tensor], list[Tensor]]) -> None:
        """Write a copy back; state that came since is zero, as before the first step of these optimizers."""
        copies, states = saved
        for tensor in self.tensors():
            if id(tensor) in copies:
                tensor.copy_(copies[id(tensor)])
            else:
                tensor.zero_()
        for generator, state in zip(self.generators, states, strict=True):
            generator.set_state(state)


@torch.no_grad()
def _difference(expected: Tensor, got: Tensor) -> float:
    """Return the largest difference, relative to the largest value."""
    if torch.equal(expected, got):
        return 0.0
    one, other = torch.nan_to_num(expected.double()), torch.nan_to_num(got.double())
    return float((one - other).abs().max() / one.abs().max().clamp(min=1e-30))
