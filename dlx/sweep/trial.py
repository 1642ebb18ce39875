"""Every run of a grid is built once before any is trained: what is wrong is said, and its size is known."""

import json
import shlex
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlx.errors import RequestError
from dlx.run.identity import OUTPUT_KEYS
from dlx.sweep.finished import finished_result
from dlx.sweep.job import Job

if TYPE_CHECKING:
    from dlx.engine.run import Run

# Keys whose value, once its type and range are right, keeps no run from being built.
NO_FAULT = (*OUTPUT_KEYS, "seed", "seeds")


@dataclass(frozen=True)
class Sketch:
    """What a planner knows of a run that has been built.

    `key`: runs of one key can train as one; None: only alone. `example`: a run of this kind, shared by all
    of its key. `steps`: of the whole run. `multiply_adds`: of a step's forward pass.
    """

    key: Hashable | None
    example: "Run"
    steps: int
    multiply_adds: float


def sketch_runs(jobs: Sequence[Job]) -> list[Sketch | None]:
    """Build each unfinished run once and return its sketch; None for a finished one.

    Runs that differ in their seeds alone are built once for all, but for users' own modules. Raises
    RequestError with the run's label.
    """
    built: dict[str, Sketch] = {}
    of_key: dict[Hashable, Run] = {}
    sketches: list[Sketch | None] = []
    for job in jobs:
        if finished_result(job.folder, job.values, job.settings) is not None:
            sketches.append(None)
            continue
        alike = json.dumps({name: value for name, value in job.values.items() if name not in NO_FAULT})
        if alike not in built or job.settings.model.name == "custom":
            try:
                built[alike] = _sketch(job, of_key)
            except RequestError as error:
                raise with_label(error, job.label) from error
        sketches.append(built[alike])
    return sketches


def with_label(error: RequestError, label: str) -> RequestError:
    """Say which run of a grid it is that is wrong."""
    return RequestError(f"{error} [in {shlex.quote(label)}]") if label else error


def _sketch(job: Job, of_key: "dict[Hashable, Run]") -> Sketch:
    from dlx.build import build  # imports torch, which a finished study does not need
    from dlx.engine.model_summary import multiply_adds
    from dlx.engine.run import steps_per_epoch
    from dlx.engine.stacked import cohort_key
    from dlx.engine.stacked_model import UnstackableError

    run, settings = build(job.settings), job.settings
    key: Hashable | None = None
    if settings.engine.name != "loop":
        try:
            key = (settings.threads, settings.engine.name, cohort_key(run))
        except UnstackableError as error:
            if settings.engine.name == "stacked":
                raise RequestError(f"engine=stacked: {error}; engine=loop trains it") from error
    steps = steps_per_epoch(len(run.data.train), run.batch_size, drop_last=run.drop_last) * run.epochs
    example = run if key is None else of_key.setdefault(key, run)
    return Sketch(key, example, steps, multiply_adds(run.layers) * run.batch_size)
