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
from dlx.run.paths import LOG
from dlx.run.result import Result
from dlx.sweep.finished import finished_result, lock
from dlx.sweep.job import Job

if TYPE_CHECKING:
    from dlx.engine.recorder import Recorder

FORMAT = "%(asctime)s %(levelname)s %(message)s"  # as conf/train.yaml's


@dataclass
class Member:
    """A run of the cohort and what becomes of it."""

    job: Job
    display: RunDisplay
    recorder: "Recorder | None" = None
    result: Result | None = None
    returned: JobReturn | None = field(default=None)


def train_together(members: Sequence[Member], hydra_context: HydraContext) -> list[JobReturn]:
    """Train the runs as one; return what `run_job` says of each, in order.

    A run that another process has finished meanwhile is not trained again. Raises OSError where nothing can
    be written.
    """
    with ExitStack() as stack:
        _enter(members, 0, hydra_context, stack)
    returns = []
    for member in members:
        assert member.returned is not None
        if member.returned.status != JobStatus.COMPLETED:
            error = member.returned._return_value
            if is_storage_error(error):  # the next cohort would fare no better
                raise error
            member.display.fail(error)
        returns.append(member.returned)
    return returns


def _enter(members: Sequence[Member], place: int, hydra_context: HydraContext, stack: ExitStack) -> None:
    """Run the job at `place` around those behind it."""
    if place == len(members):
        _train([member for member in members if member.recorder is not None])
        return
    member = members[place]

    def task(_: DictConfig) -> Result:
        _prepare(member, stack)
        _enter(members, place + 1, hydra_context, stack)
        if member.result is None:  # the innermost raised: every run around it failed with it
            raise next(m.returned._return_value for m in members[::-1] if m.returned is not None)
        return member.result

    with open_dict(member.job.config):
        member.job.config.hydra.runtime.output_dir = str(member.job.folder)
    member.returned = run_job(
        hydra_context=hydra_context,
        task_function=task,
        config=member.job.config,
        job_dir_key="hydra.runtime.output_dir",
        job_subdir_key=None,
    )


def _prepare(member: Member, stack: ExitStack) -> None:
    """Lock the run's folder and build the run, unless it has been finished meanwhile."""
    from dlx.build import build  # imports torch
    from dlx.engine.recorder import Recorder

    job = member.job
    stack.enter_context(lock(job.folder, member.display))
    member.result = finished_result(job.folder, job.values, job.settings)
    if member.result is not None:
        member.display.skip(job.folder, member.result)
        return
    run = build(job.settings)
    member.display.start(run, job.settings, job.folder)
    log = stack.enter_context(_log_of(job.folder))
    member.recorder = Recorder(run, job.settings, job.values, job.folder, member.display.epoch, log)


def _train(members: Sequence[Member]) -> None:
    from dlx.engine.trainer import execute_together

    recorders = [member.recorder for member in members if member.recorder is not None]
    for member, result in zip(members, execute_together(recorders), strict=True):
        member.result = result
        member.display.end(member.job.folder, result)


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
