"""Trains the runs of a cohort as one, each in its own folder, with Hydra's files, callbacks and status.

Hydra's `run_job` makes one job's surroundings and calls a task. Here each run's task calls `run_job` for the
next, and the innermost trains them all; on the way out each returns its own result.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from dlx.errors import is_storage_error
from dlx.progress import RunDisplay
from dlx.run.history import EpochRow
from dlx.run.paths import LOG
from dlx.run.result import Result
from dlx.sweep.finished import finished_result, lock
from dlx.sweep.job import Job

if TYPE_CHECKING:
    from dlx.engine.trainer import Recorder

FORMAT = "%(asctime)s %(levelname)s %(message)s"  # as conf/train.yaml's


@dataclass(frozen=True)
class Work:
    """Runs that train as one, or one alone: all that a process needs to know, here or on another machine.

    It pickles with the standard library. `threads`: of torch, where a run's settings do not say.
    """

    jobs: tuple[Job, ...]
    threads: int | None


@dataclass
class Member:
    """A run of the cohort and what becomes of it."""

    job: Job
    display: RunDisplay | None
    recorder: "Recorder | None" = None
    result: Result | None = None
    returned: JobReturn | None = field(default=None)


def train_together(
    work: Work, displays: Sequence[RunDisplay | None], hydra_context: HydraContext
) -> list[JobReturn]:
    """Train the runs as one; return what `run_job` says of each, in order.

    `displays`: a run's, or None where nobody looks. A run that another process has finished meanwhile is not
    trained again. Raises OSError where nothing can be written.
    """
    members = [Member(job, display) for job, display in zip(work.jobs, displays, strict=True)]
    with ExitStack() as stack:
        _enter(members, 0, work.threads, hydra_context, stack)
    returns = []
    for member in members:
        assert member.returned is not None
        if member.returned.status != JobStatus.COMPLETED:
            error = member.returned._return_value
            if is_storage_error(error):  # the next cohort would fare no better
                raise error
        returns.append(member.returned)
    return returns


def _enter(
    members: Sequence[Member],
    place: int,
    threads: int | None,
    hydra_context: HydraContext,
    stack: ExitStack,
) -> None:
    """Run the job at `place` around those behind it."""
    if place == len(members):
        _train([member for member in members if member.recorder is not None])
        return
    member = members[place]

    def task(_: DictConfig) -> Result:
        _prepare(member, threads, stack)
        _enter(members, place + 1, threads, hydra_context, stack)
        if member.result is None:  # the innermost raised: every run around it failed with it
            raise next(m.returned._return_value for m in members[::-1] if m.returned is not None)
        return member.result

    with open_dict(member.job.config):  # by its own keys Hydra would resolve and hash the configuration again
        member.job.config.hydra.runtime.output_dir = str(member.job.folder)
    member.returned = run_job(
        hydra_context=hydra_context,
        task_function=task,
        config=member.job.config,
        job_dir_key="hydra.runtime.output_dir",
        job_subdir_key=None,
    )


def _prepare(member: Member, threads: int | None, stack: ExitStack) -> None:
    """Lock the run's folder and build the run, unless it has been finished meanwhile."""
    from dlx.build import build  # imports torch
    from dlx.engine.trainer import Recorder

    job = member.job
    stack.enter_context(lock(job.folder, member.display))
    member.result = finished_result(job.folder, job.values, job.settings)
    if member.result is not None:
        if member.display is not None:
            member.display.skip(job.folder, member.result)
        return
    run = build(job.settings, threads)
    if member.display is not None:
        member.display.start(run, job.settings, job.folder)
    log = stack.enter_context(_log_of(job.folder))
    on_epoch = member.display.epoch if member.display is not None else _unseen
    member.recorder = Recorder(run, job.settings, job.values, job.folder, on_epoch, log)


def _train(members: Sequence[Member]) -> None:
    from dlx.engine.trainer import execute, execute_together

    recorders = [member.recorder for member in members if member.recorder is not None]
    if not recorders:  # all finished by another process
        return
    results = execute_together(recorders) if len(recorders) > 1 else [execute(recorders[0])]
    for member, result in zip(members, results, strict=True):
        member.result = result


def _unseen(_: EpochRow) -> None:
    """Show an epoch's end to nobody: whoever looks reads the history."""


@contextmanager
def _log_of(folder: Path) -> Iterator[logging.Logger]:
    """Give a logger for one run's train.log: Hydra's own goes to the job that was entered last."""
    logger = logging.getLogger(f"dlx.run.{folder.name}")
    logger.propagate = False
    handler = logging.FileHandler(folder / LOG)
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        handler.close()
