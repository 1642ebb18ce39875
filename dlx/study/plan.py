"""Plans a request's training: which runs train together, how many cohorts side by side, on how many threads.

Every unfinished run is built once before any is trained, so that mistakes are found first, and sizes known.
On a CPU cohorts train side by side, one a core, on one thread each: a stack's products are too small to share
out.
"""

import json
import math
import os
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.components import check_components
from dlx.compose.request import ComposedRun, with_label
from dlx.errors import RequestError
from dlx.run.identity import OUTPUT_KEYS
from dlx.study.estimate import SECONDS_A_STEP, estimate_seconds
from dlx.study.longer import ShorterRuns
from dlx.study.study import Cohort, Study
from dlx.study.widths import find_widths

if TYPE_CHECKING:
    from dlx.engine.run import Run

# Estimated seconds of a request below which it trains in this process: starting another takes 2 to 3 s, to
# import torch. The width is then not measured either.
WORTH_A_PROCESS = 6.0
LEAST_SAMPLES = 1000  # where the data set is not cut to a number
# Keys whose value, once its type and range are right, cannot keep a run from being built.
HARMLESS = (*OUTPUT_KEYS, "checkpoint", "seed", "seeds")


@dataclass(frozen=True)
class Sketch:
    """What is known of a run that has been built.

    `key`: runs of one key can train together; None: only alone, perhaps `alone_because` of something.
    `example`: a run of this kind, shared by all of its key. `steps`: of the whole run. `multiply_adds`: of a
    step's forward pass; `values`: those that its layers put out; `convolutions`: how many of them there are.
    """

    key: tuple[Hashable, ...] | None
    example: "Run"
    steps: int
    multiply_adds: float
    alone_because: str = ""
    values: float = 0.0
    convolutions: int = 0
    notices: Sequence[str] = ()


@dataclass(frozen=True)
class Workers:
    """What trains the cohorts of a request: `count` of them side by side.

    `threads`, `memory` in bytes and `gpus`: of each worker of a cluster. Those of this machine share it, and
    the plan decides on their threads. `spread`: over the GPUs of this machine, if it has several.
    """

    count: int
    threads: int | None = None
    memory: float | None = None
    gpus: float = 0.0
    spread: bool = False

    @property
    def elsewhere(self) -> bool:
        """Whether they are a cluster's."""
        return self.threads is not None


@dataclass(frozen=True)
class Plan:
    """Cohorts by study, the longest first over all studies, and how many train side by side.

    `processes` = 1: one after another, in this process. `spread`: each process has a GPU to itself.
    `notices`: what to tell the user about the runs and the stacks.
    """

    cohorts: list[tuple[Path, Cohort]]
    processes: int
    spread: bool = False
    notices: Sequence[str] = ()


def sketch_runs(runs: Sequence[ComposedRun], to_train: Collection[int]) -> dict[int, Sketch]:
    """Build each run that is `to_train` once; return its sketch by its index in `runs`.

    Runs that differ in their seeds alone are built once for all, except for users' own modules. Raises
    RequestError with the run's label.
    """
    built: dict[str, Sketch] = {}
    of_key: dict[Hashable, Run] = {}
    sketches: dict[int, Sketch] = {}
    unfinished = {
        index: json.dumps({key: value for key, value in run.config.items() if key not in HARMLESS})
        for index, run in enumerate(runs)
        if index in to_train
    }
    for index in sorted({alike: index for index, alike in reversed(unfinished.items())}.values()):
        with _labelled(runs[index]):
            check_components(runs[index].settings)
    for index, alike in unfinished.items():
        if alike not in built or runs[index].settings.model.is_own:
            with _labelled(runs[index]):
                built[alike] = _sketch(runs[index], of_key, built.get(alike))
        sketches[index] = built[alike]
    return sketches


@contextmanager
def _labelled(run: ComposedRun) -> Iterator[None]:
    try:
        yield
    except RequestError as error:
        raise with_label(error, run.label) from error


def _sketch(composed: ComposedRun, of_key: "dict[Hashable, Run]", before: Sketch | None) -> Sketch:
    """Sketch a run; `before`: the sketch of one that differs in its seeds alone."""
    from dlx.build import build  # imports torch, which a finished study does not need
    from dlx.engine.model_summary import multiply_adds
    from dlx.engine.run import steps_per_epoch
    from dlx.engine.stack_check import check_stack
    from dlx.engine.stacked import cohort_key
    from dlx.engine.stacked_model import UnstackableError

    settings, like = composed.settings, before.example if before else None
    run = build(settings, like=like)
    key: tuple[Hashable, ...] | None = None
    reason = ""
    if settings.engine.name != "loop":
        try:
            key = (settings.threads, settings.engine.name, cohort_key(run))
        except UnstackableError as error:
            reason = str(error)
    if settings.engine.name == "stacked" and (reason := reason or check_stack(run).reason):
        raise RequestError(f"engine=stacked: {reason}; engine=loop trains it")
    steps = steps_per_epoch(len(run.data.train), run.batch_size, drop_last=run.drop_last) * run.epochs
    example = run if key is None else of_key.setdefault(key, run)
    values = run.batch_size * sum(math.prod(layer.output_shape or ()) for layer in run.layers)
    convolutions = sum(layer.module.startswith("Conv") for layer in run.layers)
    work = run.batch_size * multiply_adds(run.layers)
    return Sketch(key, example, steps, work, reason, values, convolutions, run.notices)


class Planner:
    """Plans for the workers of a request's launcher; a cohort may take a `share` of the memory."""

    def __init__(self, workers: Workers, share: float) -> None:
        self._workers = workers
        self._share = share

    def plan(
        self,
        runs: Sequence[ComposedRun],
        sketches: Mapping[int, Sketch],
        recorded: Mapping[Path, Sequence[Cohort]],
    ) -> Plan:
        """Plan the runs that have a sketch; the others have ended.

        `recorded`: by study, the cohorts of earlier requests. One that has begun trains as it is, on as many
        threads; of another, what was asked for trains together.
        """
        seconds = sum(estimate_seconds([sketch]) for sketch in sketches.values())
        worth = seconds > WORTH_A_PROCESS
        side_by_side = self._side_by_side(runs, sketches, seconds) if worth else 1
        to_form = {(runs[i].folder.parent, runs[i].folder.name): i for i in sketches}
        formed: list[tuple[Cohort, Path, list[int]]] = []
        for study, cohorts in recorded.items():
            for cohort in cohorts:
                asked = [run for run in cohort.runs if (study, run) in to_form]
                if asked:
                    indices = sorted(to_form.pop((study, run)) for run in asked)
                    formed.append((_whole_or_part(Study(study), cohort, asked), study, indices))
        new = {i: sketches[i] for i in sorted(to_form.values())}
        in_memory = partial(self._most_in_memory, side_by_side=side_by_side)
        widths = find_widths(runs, new, in_memory, measured=worth)
        threads = self._workers.threads or (1 if side_by_side > 1 and len(sketches) > 1 else None)
        rows = list(new)
        # Runs of two studies do not train together: each study records its own cohorts.
        # Nor do runs that go on from shorter ones of different lengths.
        shorter = {folder: ShorterRuns(Study(folder)) for folder in {runs[i].folder.parent for i in new}}
        groups = [
            each.key and (runs[i].folder.parent, each.key, shorter[runs[i].folder.parent].start(runs[i]))
            for i, each in new.items()
        ]
        by_group = {group: widths.by_key[group[1]] for group in groups if group is not None}
        for part in divide(groups, by_group, side_by_side):
            members = [rows[row] for row in part]
            cohort = Cohort(tuple(runs[i].folder.name for i in members), threads)
            formed.append((cohort, runs[members[0]].folder.parent, members))
        formed.sort(key=lambda each: (-estimate_seconds([sketches[i] for i in each[2]]), each[2]))
        processes = max(1, min(side_by_side, len(formed)))
        spread = processes > 1 and self._spread(sketches)
        in_order = [(study, cohort) for cohort, study, _ in formed]
        built = dict.fromkeys(line for sketch in sketches.values() for line in sketch.notices)
        return Plan(in_order, processes, spread, [*built, *widths.notices])

    def _side_by_side(
        self, runs: Sequence[ComposedRun], sketches: Mapping[int, Sketch], seconds: float
    ) -> int:
        """Return how many cohorts may train at once: on a GPU one, which has the whole of it."""
        import torch

        if self._workers.elsewhere:  # each job imports torch: no more of them than have something to do
            return min(self._workers.count, math.ceil(seconds / WORTH_A_PROCESS))
        if self._spread(sketches):
            return max(1, min(self._workers.count, torch.cuda.device_count()))
        if any(sketch.example.device.type != "cpu" for sketch in sketches.values()):
            return 1
        return max(
            1, self._workers.count // max((runs[i].settings.threads or 1 for i in sketches), default=1)
        )

    def _spread(self, sketches: Mapping[int, Sketch]) -> bool:
        """Return whether all runs train on whichever GPU they are given (device=auto or cuda, not cuda:1)."""
        devices = {str(sketch.example.device) for sketch in sketches.values()}
        return self._workers.spread and devices == {"cuda"}

    def _most_in_memory(self, sketch: Sketch, count: int, side_by_side: int) -> int:
        """Return how many of `count` runs may train together, beside as many other cohorts; at least one."""
        from dlx.engine.stack_width import bytes_of_data, bytes_per_member

        run = sketch.example
        free = self._free_bytes(run, side_by_side)
        if free is None:
            return count
        room = self._share * free - bytes_of_data(run)
        return min(count, max(1, int(room // bytes_per_member(run))))

    def _free_bytes(self, run: "Run", side_by_side: int) -> float | None:
        """Return the memory of one of the workers; None if unknown."""
        from dlx.engine.stack_width import free_bytes

        workers = self._workers
        if workers.elsewhere and not (workers.gpus and run.device.type == "cuda"):
            return workers.memory
        free = free_bytes(run.device)  # a cluster's GPUs are taken to be like this machine's
        if free is None:
            return None
        if workers.elsewhere:
            return free * min(workers.gpus, 1.0)
        return free if run.device.type == "cuda" else free / side_by_side


def _whole_or_part(study: Study, cohort: Cohort, asked: Sequence[str]) -> Cohort:
    """Return an earlier cohort as it is, or, if it has not begun, what was asked for of it.

    One that has begun is trained as a whole, because a run's last bits depend on what it trains with.
    """
    whole = len(asked) == len(cohort.runs) or study.has_begun(cohort)
    return cohort if whole else Cohort(tuple(asked), cohort.threads)


def divide(
    keys: Sequence[Hashable | None], widths: Mapping[Any, int], processes: int
) -> list[tuple[int, ...]]:
    """Return the indices of runs that train together, in the order of each cohort's first.

    Runs of equal key go together, at most widths[key] of them, in cohorts of even sizes whose number is
    a multiple of `processes`, so that all of these have the same to do; None stays alone. The same arguments
    make the same cohorts.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    parts: list[tuple[int, ...]] = [(index,) for index in groups.pop(None, [])]
    for key, group in groups.items():
        count = math.ceil(len(group) / widths[key])
        if widths[key] > 1:
            count = min(math.ceil(count / processes) * processes, len(group))
        bounds = [len(group) * part // count for part in range(count + 1)]
        parts += [tuple(group[start:stop]) for start, stop in pairwise(bounds)]
    return sorted(parts)


def expects_processes(runs: Sequence[ComposedRun], workers: Workers) -> bool:
    """Say whether there is so much to do that processes will be wanted, from the settings alone."""
    steps = 0.0
    for settings in (run.settings for run in runs):
        samples = settings.data.train_size if isinstance(settings.data.train_size, int) else LEAST_SAMPLES
        steps += settings.epochs * samples / settings.batch_size
    return workers.count > 1 and len(runs) > 1 and steps * SECONDS_A_STEP > WORTH_A_PROCESS


def cores() -> int:
    """Return the number of this machine's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
