"""Trains cohorts as jobs of a Slurm cluster, whose machines share the study's folder, through submitit.

submitit keeps a request's scripts, pickles and logs in `.study/slurm/<time>-<letters>/` of each study. The
folder is removed when all of its jobs have come back, unless one was lost.
"""

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from dlx.errors import RequestError, nearest
from dlx.launchers import SlurmSettings
from dlx.study.launch.cluster import train_on_cluster
from dlx.study.launch.launcher import Attempt, How, Task
from dlx.study.plan import Plan
from dlx.study.stopping import request_stop
from dlx.study.study import FOLDER, Cohort

# Seconds between looks at the files by which jobs say that they have ended, and between questions to Slurm,
# whose database all users share, about those that can say nothing any more.
LOOK = {"slurm": 1.0, "local": 0.1}
ASK = 30.0
ASK_STOPPED = 2.0
# Seconds until a job that Slurm reports as ended counts as lost: its result may take that long to cross the
# network, and submitit waits as long.
VISIBLE = {"slurm": 15.0, "local": 0.0}
LARGEST_ARRAY = 1000  # jobs; Slurm's default of MaxArraySize is 1001
ENDING = 5.0  # seconds that processes which were cancelled may take to end


def check_parameters(settings: SlurmSettings) -> None:
    """Raise RequestError if submitit does not take the parameters, or if this machine has no Slurm."""
    if settings.executor == "slurm" and not all(map(shutil.which, ("sbatch", "srun"))):
        raise RequestError(
            "launcher=slurm: this machine has no sbatch; launcher.executor=local runs the jobs without Slurm"
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
        valid = re.findall(r"\w+", str(error).partition("Valid arguments:")[2].partition("\n")[0])
        name = next(name for name in settings.parameters if name not in valid)
        raise RequestError(
            f"launcher.parameters.{name}: submitit has no such parameter{nearest(name, valid)}"
        ) from error
    return executor


class Slurm:
    """Submits cohorts as jobs; those that are handed out together are an array."""

    def __init__(self, plan: Plan, settings: SlurmSettings) -> None:
        # Slurm itself limits how many jobs of an array run at once; submitit's local executor does not.
        at_once = {"slurm": min(len(plan.cohorts), LARGEST_ARRAY), "local": settings.array_parallelism}
        self.places = max(1, at_once[settings.executor])
        self._settings = settings
        self._ready: list[Task] = []
        self._out: dict[Any, Task] = {}  # by submitit's job
        self._without_result: dict[Any, float] = {}  # jobs that have ended: when that was seen
        self._executors: dict[Path, Any] = {}  # by study
        self._looked = self._asked = time.monotonic()
        self._stopping = self._any_lost = False

    def submit(self, task: Task) -> None:
        """Keep a cohort until `returned` is called."""
        self._ready.append(task)

    def returned(self, seconds: float) -> list[Attempt]:
        """Submit what is ready, and return the cohorts whose jobs have ended."""
        if refused := self._submit_ready():
            return refused
        time.sleep(min(seconds, max(0.0, self._looked + LOOK[self._settings.executor] - time.monotonic())))
        if time.monotonic() < self._looked + LOOK[self._settings.executor]:
            return []
        self._looked = time.monotonic()
        self._ask()
        attempts = {job: attempt for job in self._out if (attempt := self._attempt(job)) is not None}
        for job in attempts:
            del self._out[job]
        return list(attempts.values())

    def _submit_ready(self) -> list[Attempt]:
        """Submit what is ready; return what Slurm does not accept."""
        ready, self._ready = self._ready, []
        refused = []
        for study in dict.fromkeys(folder for folder, _ in ready):
            executor = self._executors.get(study) or self._executors.setdefault(study, self._open(study))
            job = Job(gpus=self._settings.gpus_per_node > 0)
            tasks = [task for task in ready if task[0] == study]
            try:
                with _terminal_held_back(), executor.batch():
                    jobs = [executor.submit(job, study.absolute(), cohort) for _, cohort in tasks]
                self._out |= dict(zip(jobs, tasks, strict=True))
            except RuntimeError as error:
                why = RequestError(f"launcher=slurm: the jobs were not accepted: {error}")
                refused += [Attempt(task, "failed", error=why) for task in tasks]
        return refused

    def _open(self, study: Path) -> Any:
        own = study / FOLDER / "slurm"
        own.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-")
        # A new folder that only this user can write to, because submitit executes the pickles in it.
        return _executor(Path(tempfile.mkdtemp(dir=own, prefix=now)), self._settings)

    def _ask(self) -> None:
        """Have submitit ask Slurm now and then about all jobs: by itself it asks after up to ten minutes."""
        if time.monotonic() > self._asked + (ASK_STOPPED if self._stopping else ASK):
            self._asked = time.monotonic()
            next(iter(self._out)).done(force_check=True)

    def _attempt(self, job: Any) -> Attempt | None:
        """Return how a job came back; None if it has not."""
        if not job.done():
            return None
        task, now = self._out[job], time.monotonic()
        if job.paths.result_pickle.exists():
            error = job.exception()
            answer = error or job.result()
            if isinstance(answer, Exception):
                return Attempt(task, "failed", error=answer)
            return Attempt(task, answer)
        if now - self._without_result.setdefault(job, now) < VISIBLE[self._settings.executor]:
            return None
        if self._stopping:
            return Attempt(task, "stopped")
        self._any_lost = True
        return Attempt(task, "lost", f"job {job.job_id}: {job.state}")

    def stop(self) -> None:
        """Cancel the jobs; those that run stop at their next step."""
        self._stopping = True
        self._cancel()

    def _cancel(self) -> None:
        for job in self._out:
            if self._settings.executor == "slurm":
                job.cancel(check=False)
            else:
                with suppress(ProcessLookupError):  # submitit's process, which passes it on
                    os.kill(int(job.job_id), signal.SIGTERM)

    def close(self) -> None:
        """Cancel what has not come back; remove submitit's files if everything has, and well."""
        self._cancel()
        end = time.monotonic() + ENDING
        while self._settings.executor == "local" and time.monotonic() < end:
            if all(job.done() for job in self._out):
                break
            time.sleep(LOOK["local"])
        for executor in self._executors.values() if not (self._out or self._any_lost) else ():
            shutil.rmtree(executor.folder, ignore_errors=True)
            with suppress(OSError):  # another request's folder is in it
                executor.folder.parent.rmdir()
        self._executors = {}


@contextmanager
def _terminal_held_back() -> Iterator[None]:
    """Start processes that get no signals of the terminal; this one gets them afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Job:
    """What a job runs; submitit puts it back into Slurm's queue where `checkpoint` says what it then does.

    A signal asks for it: the job's time is nearly up, or Slurm takes its machine away.
    """

    def __init__(self, *, gpus: bool) -> None:
        self._gpus = gpus

    def __call__(self, folder: Path, cohort: Cohort) -> How | OSError:
        """Train a cohort; return how it came back, or the error if storage failed."""
        from submitit import JobEnvironment

        number = getattr(signal, f"SIG{JobEnvironment.USR_SIG}")
        requeue = signal.getsignal(number)
        told = []

        def stop(number: int, _: FrameType | None) -> None:
            told.append(number)
            request_stop(number)

        signal.signal(number, stop)
        try:
            how = train_on_cluster(folder, cohort, gpus=self._gpus)
        except OSError as error:
            return error
        if how == "stopped" and told and callable(requeue):
            requeue(number, None)  # ends this process
        return how

    def checkpoint(self, folder: Path, cohort: Cohort) -> Any:
        """Return what the job does when it runs again: it goes on from the cohort's checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, folder, cohort)
