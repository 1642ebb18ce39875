"""Plans a grid's training: which runs as one, how many cohorts side by side, on how many threads each.

The width of a cohort is what a short measurement says, within a share of the memory that is free. On a CPU
cohorts train side by side on a thread each, as many as there are cores: a stack's products are too small to
share out.
"""

import os
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dlx.data.source import cache_root
from dlx.sweep.cohorts import Cohort, divide
from dlx.sweep.job import Job
from dlx.sweep.trial import Sketch

# Estimated seconds of a grid below which it trains in this process: starting another takes 2 to 3 s, to
# import torch. The width is then not measured either.
WORTH_A_PROCESS = 6.0
UNMEASURED = 32
# Of a step, where nothing is measured: its calls, and a multiply-add forward and backward.
LEAST_SAMPLES = 1000  # where the data set is not cut to a number
SECONDS_A_STEP, SECONDS_A_MULTIPLY_ADD = 4e-4, 6e-11


@dataclass(frozen=True)
class Plan:
    """The cohorts, longest first, and how many train side by side; 1: one after another in this process."""

    cohorts: list[Cohort]
    processes: int


class Planner:
    """Plans for this machine: at most `processes` (None: one a core), `memory` a share of what is free."""

    def __init__(self, processes: int | None, memory: float) -> None:
        self._processes = processes or _cores()
        self._memory = memory

    def plan(
        self,
        jobs: Sequence[Job],
        sketches: Sequence[Sketch | None],
        recorded: Sequence[tuple[list[str], int | None]],
    ) -> Plan:
        """Plan the runs that have a sketch; the others are finished.

        `recorded`: the cohorts of an earlier request, by folder. What is unfinished of one trains together
        again, on as many threads.
        """
        todo = {place: sketch for place, sketch in enumerate(sketches) if sketch is not None}
        worth = sum(_estimate([sketch]) for sketch in todo.values()) > WORTH_A_PROCESS
        side_by_side = self._side_by_side(jobs, todo) if worth else 1
        places = {jobs[place].folder.name: place for place in todo}
        cohorts = []
        for folders, threads in recorded:
            again = [places.pop(folder) for folder in folders if folder in places]
            if again:
                cohorts.append(Cohort(tuple(sorted(again)), threads))
        new = {place: todo[place] for place in sorted(places.values())}
        widths = self._widths(jobs, new, side_by_side, measured=worth)
        threads = 1 if side_by_side > 1 and len(todo) > 1 else None
        keys = [sketch.key for sketch in new.values()]
        rows = list(new)
        parts = divide(keys, widths, side_by_side)
        cohorts += [Cohort(tuple(rows[row] for row in part), threads) for part in parts]
        seconds = {cohort: _estimate([todo[place] for place in cohort.places]) for cohort in cohorts}
        cohorts.sort(key=lambda cohort: (-seconds[cohort], cohort.places))
        return Plan(cohorts, max(1, min(side_by_side, len(cohorts))))

    def expects_processes(self, jobs: Sequence[Job]) -> bool:
        """Say whether there is so much to do that processes will be wanted, from the settings alone."""
        samples = [job.settings.data.train_size for job in jobs]
        steps = sum(
            job.settings.epochs
            * (count if isinstance(count, int) else LEAST_SAMPLES)
            / job.settings.batch_size
            for job, count in zip(jobs, samples, strict=True)
        )
        return self._processes > 1 and len(jobs) > 1 and steps * SECONDS_A_STEP > WORTH_A_PROCESS

    def _side_by_side(self, jobs: Sequence[Job], todo: dict[int, Sketch]) -> int:
        """Return how many cohorts may train at once: on a GPU one, which has the whole of it."""
        if any(sketch.example.device.type != "cpu" for sketch in todo.values()):
            return 1
        return max(
            1, self._processes // max((jobs[place].settings.threads or 1 for place in todo), default=1)
        )

    def _widths(
        self, jobs: Sequence[Job], todo: dict[int, Sketch], side_by_side: int, *, measured: bool
    ) -> dict[Hashable, int]:
        counts = Counter(sketch.key for sketch in todo.values())
        widths: dict[Hashable, int] = {}
        for place, sketch in todo.items():
            if sketch.key is None or sketch.key in widths:
                continue
            engine = jobs[place].settings.engine
            most = self._most_in_memory(sketch, counts[sketch.key], side_by_side)
            if engine.width is not None:
                widths[sketch.key] = min(most, engine.width)
            elif not measured or most == 1:
                widths[sketch.key] = min(most, UNMEASURED)
            else:
                widths[sketch.key] = _best_width(sketch, most, alone=engine.name == "auto")
        return widths

    def _most_in_memory(self, sketch: Sketch, count: int, side_by_side: int) -> int:
        """Return how many of `count` runs may train as one, beside as many other cohorts; at least one."""
        from dlx.engine.memory import bytes_as_member, bytes_of_data, free_bytes

        run, free = sketch.example, free_bytes(sketch.example.device)
        if free is None:
            return count
        room = self._memory * free / side_by_side - bytes_of_data(run)
        return min(count, max(1, int(room // bytes_as_member(run))))


def _best_width(sketch: Sketch, most: int, *, alone: bool) -> int:
    """Return the width, at most `most`, whose steps take a run the least; 1 only if it may train `alone`."""
    import torch

    from dlx.engine.calibration import seconds_by_width

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = seconds_by_width(sketch.example, most, cache_root() / "calibration")
    finally:
        torch.set_num_threads(threads)
    if not alone and len(seconds) > 1:
        del seconds[1]
    return min(seconds, key=lambda width: (seconds[width], width))


def _estimate(sketches: Sequence[Sketch]) -> float:
    """Return the seconds that runs take as one, very about: to order by, and to know little from much."""
    calls = max(sketch.steps for sketch in sketches) * SECONDS_A_STEP
    return calls + sum(sketch.steps * sketch.multiply_adds for sketch in sketches) * SECONDS_A_MULTIPLY_ADD


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
