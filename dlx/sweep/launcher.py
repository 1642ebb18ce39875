"""The Hydra launcher: checks every run of a grid, plans, then has the unfinished trained in cohorts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from dlx.config import check_values, resolved
from dlx.errors import RequestError
from dlx.progress import Display, checking
from dlx.run.paths import write_atomically
from dlx.run.result import read_result
from dlx.sweep import cohorts, pool
from dlx.sweep.composition import compose_grid
from dlx.sweep.follow import Follower
from dlx.sweep.job import Job
from dlx.sweep.planner import Plan, Planner
from dlx.sweep.summary import Outcome, RunsFailedError, print_summary
from dlx.sweep.together import Work, train_together
from dlx.sweep.trial import sketch_runs, with_label

Trained = Iterator[tuple[int, list[JobReturn]]]


class GridLauncher(Launcher):
    """Nothing is written before every run has been composed, checked and, if unfinished, built once."""

    __module__ = "hydra_plugins.dlx.launcher"  # an alias, see compose.py

    def __init__(
        self,
        inner: Literal["basic", "joblib"] = "basic",
        processes: int | None = None,
        memory: float = 0.5,
        joblib: Mapping[str, Any] | None = None,
    ) -> None:
        if inner not in ("basic", "joblib"):
            raise RequestError(f"hydra.launcher.inner={inner}: allowed are basic and joblib")
        if not (processes is None or (isinstance(processes, int) and processes >= 1)):
            raise RequestError(f"hydra.launcher.processes={processes}: at least 1, or null")
        if not 0 < memory <= 1:
            raise RequestError(f"hydra.launcher.memory={memory}: a share above 0, at most 1")
        self._inner, self._joblib = inner, joblib or {}
        self._planner = Planner(processes, memory)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives before it calls `launch`."""
        self.hydra_context = hydra_context
        self.task_function: Callable[..., Any] = task_function
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Train the grid. Raises RequestError before any training, RunsFailedError after all of it."""
        loader = self.hydra_context.config_loader
        assert isinstance(loader, ConfigLoaderImpl), "Hydra has no other"
        configs = compose_grid(loader, self.config, job_overrides)
        jobs = [
            _job(config, label, initial_job_idx + index)
            for index, (config, label) in enumerate(zip(configs, labels(job_overrides), strict=True))
        ]
        look_at = getattr(self.task_function, "plan", None)  # of train.Task
        if look_at is not None:
            look_at(jobs)
        if self._inner == "basic" and self._planner.expects_processes(jobs):
            pool.warm_up()
        study = jobs[0].folder.parent
        with checking(len(jobs)):
            sketches = sketch_runs(jobs)
            plan = self._planner.plan(jobs, sketches, cohorts.recorded(study))
        self._write_study(study, jobs, plan)
        with Display([(job.label, job.settings.epochs) for job in jobs]) as display:
            returns = {
                place: _finished(job, display, place)
                for place, (job, sketch) in enumerate(zip(jobs, sketches, strict=True))
                if sketch is None
            }
            for place, returned in self._train(jobs, plan, display):
                returns[place] = returned
                _show_end(jobs[place], returned, display, place)
        # Added to as the runs of a grid end, in the grid's order.
        outcomes: list[Outcome] = getattr(self.task_function, "outcomes", [])
        outcomes += [_outcome(job, returns[place]) for place, job in enumerate(jobs)]
        if len(jobs) > 1:
            print_summary(outcomes, study)
        if not all(outcome.succeeded for outcome in outcomes):
            raise RunsFailedError(outcomes)
        return [returns[place] for place in range(len(jobs))]

    def _train(self, jobs: Sequence[Job], plan: Plan, display: Display) -> Iterator[tuple[int, JobReturn]]:
        """Yield each run's place and return as its cohort ends."""
        works = [Work(tuple(jobs[place] for place in each.places), each.threads) for each in plan.cohorts]
        for number, returned in self._trained(works, plan, display):
            yield from zip(plan.cohorts[number].places, returned, strict=True)

    def _trained(self, works: Sequence[Work], plan: Plan, display: Display) -> Trained:
        if plan.processes == 1 and self._inner == "basic":
            for number, work in enumerate(works):
                displays = [display.of(place) for place in plan.cohorts[number].places]
                yield number, train_together(work, displays, self.hydra_context)
            return
        places = [place for cohort in plan.cohorts for place in cohort.places]
        follower = Follower(
            [job for work in works for job in work.jobs], [display.of(place) for place in places]
        )
        if self._inner == "joblib":
            yield from pool.through_joblib(works, plan.processes, follower.look, self._joblib)
        else:
            yield from pool.basic(works, plan.processes, follower.look)

    def _write_study(self, study: Path, jobs: Sequence[Job], plan: Plan) -> None:
        study.mkdir(parents=True, exist_ok=True)
        write_atomically(study / "multirun.yaml", OmegaConf.to_yaml(self.config).encode())
        if plan.cohorts:
            folders = [[jobs[place].folder.name for place in cohort.places] for cohort in plan.cohorts]
            threads = [cohort.threads for cohort in plan.cohorts]
            cohorts.record(study, list(zip(folders, threads, strict=True)))


def _finished(job: Job, display: Display, place: int) -> JobReturn:
    returned = JobReturn(overrides=job.config.hydra.overrides.task, status=JobStatus.COMPLETED)
    result = read_result(job.folder)
    assert result is not None, "it was there when the run was sketched"
    returned.return_value = result
    display.of(place).skip(job.folder, result)
    return returned


def _show_end(job: Job, returned: JobReturn, display: Display, place: int) -> None:
    if returned.status == JobStatus.COMPLETED:
        display.of(place).end(job.folder, returned.return_value)
    else:
        display.of(place).fail(returned._return_value)  # the property would raise it here


def _job(config: DictConfig, label: str, number: int) -> Job:
    with open_dict(config):
        config.hydra.job.id = number
        config.hydra.job.num = number
    values = resolved(config)  # 3 ms: once, and kept
    try:
        settings = check_values(values)
    except RequestError as error:
        raise with_label(error, label) from error
    folder = Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir
    return Job(label, config, values, settings, folder)


def labels(job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """Return each job's overrides that are not shared by all, in one line; "" for a job alone.

    Keys are cut to their last word, `lr=0.1` for `optimizer.lr=0.1`, where that leaves them distinct.
    """
    shown = [filter_overrides(overrides) for overrides in job_overrides]
    shared = set(shown[0]).intersection(*map(set, shown))
    varying = [[o for o in overrides if o not in shared] for overrides in shown]
    keys = {o.partition("=")[0] for overrides in varying for o in overrides}
    words = Counter(key.rpartition(".")[2] for key in keys)
    return [" ".join(_short(o, words) for o in overrides) for overrides in varying]


def _short(override: str, words: Counter[str]) -> str:
    key, _, value = override.partition("=")
    word = key.rpartition(".")[2]
    return f"{word if words[word] == 1 else key}={value}"


def _outcome(job: Job, returned: JobReturn) -> Outcome:
    value = returned._return_value  # the property would raise a failed run's exception here
    failed = returned.status != JobStatus.COMPLETED
    return Outcome(job.label, job.folder, None if failed else value, value if failed else None)
