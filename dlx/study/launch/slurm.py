"""Trains cohorts as jobs of a Slurm cluster, whose machines share the study's folder, through submitit.

submitit keeps a request's scripts, pickles and logs in `.study/slurm/<time>-<letters>/` of each study; the
folder is removed when all jobs in it ended well.
"""

import re
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from dlx.config import SlurmSettings
from dlx.errors import RequestError, nearest
from dlx.study.launch.cluster import train_on_cluster
from dlx.study.launch.launcher import Attempt, How, Task
from dlx.study.plan import Plan
from dlx.study.study import FOLDER, Cohort

POLL = 0.25  # seconds between looks at the files by which jobs say that they have ended
# Seconds until a job that Slurm reports as ended is lost: its result may take that long to cross the network
# (submitit waits as long).
VISIBLE = 15.0
ENDING = 5.0  # seconds that jobs which were cancelled may take to end


def check_parameters(settings: SlurmSettings) -> None:
    """Raise RequestError if submitit does not take the parameters, or if this machine has no Slurm."""
    if settings.executor == "slurm" and not all(map(shutil.which, ("sbatch", "srun"))):
        raise RequestError(
            "launcher=slurm: there is no Slurm on this machine (no sbatch); launcher.executor=local tries it out"
        )
    with tempfile.TemporaryDirectory() as scratch:
        _executor(Path(scratch), settings)


def _executor(folder: Path, settings: SlurmSettings) -> Any:
    """Return submitit's executor; raises RequestError for a parameter that it does not know."""
    from submitit import AutoExecutor

    requeues = {f"{settings.executor}_max_num_timeout": settings.max_num_timeout}
    executor = AutoExecutor(folder, cluster=settings.executor, **requeues)
    try:
        executor.update_parameters(
            name="dlx",
            timeout_min=settings.timeout_min,
            cpus_per_task=settings.cpus_per_task,
            gpus_per_node=settings.gpus_per_node or None,  # Slurm without GPUs refuses 0
            mem_gb=settings.mem_gb,
            slurm_partition=settings.partition,
            slurm_array_parallelism=settings.array_parallelism,
            **{f"slurm_{name}": value for name, value in settings.parameters.items()},
        )
    except NameError as error:
        raise _unknown_parameter(settings, str(error)) from error
    return executor


def _unknown_parameter(settings: SlurmSettings, message: str) -> RequestError:
    """Return the error for the first parameter that submitit's message does not name among the valid ones."""
    valid = re.findall(r"\w+", message.partition("Valid arguments:")[2].partition("\n")[0])
    name = next(name for name in settings.parameters if name not in valid)
    return RequestError(f"launcher.parameters.{name}: submitit has no such parameter{nearest(name, valid)}")


class Slurm:
    """Submits the cohorts that are ready at one time as an array of jobs."""

    def __init__(self, plan: Plan, settings: SlurmSettings) -> None:
        # Slurm itself limits how many jobs of an array run at once; submitit's local executor does not.
        at_once = {"slurm": len(plan.cohorts), "local": settings.array_parallelism}
        self.places = max(1, at_once[settings.executor])
        self._settings = settings
        self._ready: list[Task] = []
        self._out: dict[Any, Task] = {}  # by submitit's job
        self._missing: dict[Any, float] = {}  # when a job was first seen to have ended without a result
        self._executors: dict[Path, Any] = {}  # by study
        self._stopped = self._lost = False

    def submit(self, task: Task) -> None:
        """Keep a cohort until `returned` is called."""
        self._ready.append(task)

    def returned(self, seconds: float) -> list[Attempt]:
        """Submit what is ready, and return the cohorts whose jobs have ended."""
        self._submit_ready()
        end = time.monotonic() + seconds
        while True:
            attempts = [Attempt(task, how) for job, task in self._out.items() if (how := self._how(job))]
            self._out = {job: task for job, task in self._out.items() if task not in [a.task for a in attempts]}
            if attempts or time.monotonic() >= end:
                return attempts
            time.sleep(min(POLL, seconds))

    def _submit_ready(self) -> None:
        ready, self._ready = self._ready, []
        for study in dict.fromkeys(folder for folder, _ in ready):
            executor = self._executors.get(study) or self._executors.setdefault(study, self._open(study))
            tasks = [task for task in ready if task[0] == study]
            with executor.batch():
                jobs = [executor.submit(Job(gpus=self._settings.gpus_per_node > 0), study.absolute(), cohort) for _, cohort in tasks]
            self._out |= dict(zip(jobs, tasks, strict=True))

    def _open(self, study: Path) -> Any:
        own = study / FOLDER / "slurm"
        own.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-")
        # A folder that nobody else writes to, because submitit reads pickles from it.
        return _executor(Path(tempfile.mkdtemp(dir=own, prefix=now)), self._settings)

    def _how(self, job: Any) -> How | None:
        """Return how a job ended; None if it has not."""
        if not job.done():
            return None
        if job.paths.result_pickle.exists():
            how = job.result()
            if isinstance(how, OSError):
                raise how
            return cast(How, how)
        wait = VISIBLE if self._settings.executor == "slurm" else 0.0
        if time.monotonic() - self._missing.setdefault(job, time.monotonic()) < wait:
            return None
        self._lost = True
        return "stopped" if self._stopped else "lost"

    def stop(self) -> None:
        """Cancel the jobs."""
        self._stopped = True
        for job in self._out:
            job.cancel(check=False)

    def close(self) -> None:
        """Cancel what has not ended, and remove submitit's files unless a job was lost."""
        for job in self._out:
            job.cancel(check=False)
        end = time.monotonic() + ENDING
        while self._settings.executor == "local" and any(not job.done() for job in self._out):
            if time.monotonic() > end:
                break
            time.sleep(POLL)
        if not self._out and not self._lost:
            for executor in self._executors.values():
                shutil.rmtree(executor.folder, ignore_errors=True)


class Job:
    """What a job runs; submitit calls `checkpoint` when Slurm takes its machine away or its time is up."""

    def __init__(self, *, gpus: bool) -> None:
        self._gpus = gpus

    def __call__(self, folder: Path, cohort: Cohort) -> How | OSError:
        """Train a cohort; return how it ended, or the error if storage failed."""
        prepare_process(gpus=self._gpus)
        try:
            return train_elsewhere(folder, cohort)
        except OSError as error:
            return error

    def checkpoint(self, folder: Path, cohort: Cohort) -> Any:
        """Return what is put back into the queue: the same cohort, which goes on from its files."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, folder, cohort)
