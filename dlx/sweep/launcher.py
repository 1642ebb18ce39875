"""The Hydra launcher: checks every run of a grid, then trains the unfinished, alone or in cohorts."""

import functools
import json
import shlex
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, run_job
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from dlx.config import check_values, resolved
from dlx.errors import RequestError, is_storage_error
from dlx.progress import Display, RunDisplay
from dlx.run.identity import OUTPUT_KEYS
from dlx.run.paths import write_atomically
from dlx.sweep.cohorts import cohorts
from dlx.sweep.composition import compose_grid
from dlx.sweep.finished import finished_result
from dlx.sweep.job import Job
from dlx.sweep.summary import Outcome, RunsFailedError, print_summary
from dlx.sweep.together import Member, train_together

# Keys whose value, once its type and range are right, keeps no run from being built.
NO_FAULT = (*OUTPUT_KEYS, "seed", "seeds")


class GridLauncher(Launcher):
    """Nothing is written before every run has been composed, checked and, if unfinished, built once."""

    __module__ = "hydra_plugins.dlx.launcher"  # an alias, see compose.py

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
        plan = getattr(self.task_function, "plan", None)  # of train.Task
        if plan is not None:
            plan(jobs)
        keys = _check_buildable(jobs)
        self._write_sweep_config(jobs[0].folder.parent)
        returns: dict[int, JobReturn] = {}
        with Display([(job.label, job.settings.epochs) for job in jobs]) as display:
            for cohort in cohorts(keys, max(job.settings.engine.width for job in jobs)):
                if len(cohort) == 1:
                    returned = [self._run(jobs[cohort[0]], display.of(cohort[0]))]
                else:
                    members = [Member(jobs[place], display.of(place)) for place in cohort]
                    returned = train_together(members, self.hydra_context)
                returns |= dict(zip(cohort, returned, strict=True))
        # Added to as the runs of a grid end, in the grid's order.
        outcomes: list[Outcome] = getattr(self.task_function, "outcomes", [])
        outcomes += [_outcome(job, returns[place]) for place, job in enumerate(jobs)]
        if len(jobs) > 1:
            print_summary(outcomes, jobs[0].folder.parent)
        if not all(outcome.succeeded for outcome in outcomes):
            raise RunsFailedError(outcomes)
        return [returns[place] for place in range(len(jobs))]

    def _run(self, job: Job, display: RunDisplay) -> JobReturn:
        finished = finished_result(job.folder, job.values, job.settings)
        if finished is not None:
            display.skip(job.folder, finished)
            returned = JobReturn(overrides=job.config.hydra.overrides.task, status=JobStatus.COMPLETED)
            returned.return_value = finished
            return returned
        with open_dict(job.config):  # by its own keys Hydra would resolve and hash the configuration again
            job.config.hydra.runtime.output_dir = str(job.folder)
        returned = run_job(
            hydra_context=self.hydra_context,
            task_function=functools.partial(self.task_function, display=display),
            config=job.config,
            job_dir_key="hydra.runtime.output_dir",
            job_subdir_key=None,
        )
        if returned.status != JobStatus.COMPLETED:
            error = returned._return_value
            if is_storage_error(error):  # the next run would fare no better
                raise error
            display.fail(error)
        return returned

    def _write_sweep_config(self, study: Path) -> None:
        study.mkdir(parents=True, exist_ok=True)
        write_atomically(study / "multirun.yaml", OmegaConf.to_yaml(self.config).encode())


def _job(config: DictConfig, label: str, number: int) -> Job:
    with open_dict(config):
        config.hydra.job.id = number
        config.hydra.job.num = number
    values = resolved(config)  # 3 ms: once, and kept
    try:
        settings = check_values(values)
    except RequestError as error:
        raise _with_label(error, label) from error
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


def _check_buildable(jobs: Sequence[Job]) -> list[Hashable | None]:
    """Build each unfinished run once and let it go, so that what is wrong is said before any training.

    Runs that differ in their seeds alone are built once for all, but for users' own modules. Returns by
    run what must be equal for a cohort; None for a run that is to be trained alone, or not at all.
    """
    built: dict[str, Hashable | None] = {}
    keys: list[Hashable | None] = []
    for job in jobs:
        alike = json.dumps({name: value for name, value in job.values.items() if name not in NO_FAULT})
        if finished_result(job.folder, job.values, job.settings) is not None:
            keys.append(None)
            continue
        if alike not in built or job.settings.model.name == "custom":
            try:
                built[alike] = _build(job)
            except RequestError as error:
                raise _with_label(error, job.label) from error
        keys.append(built[alike])
    return keys


def _build(job: Job) -> Hashable | None:
    from dlx.build import build  # imports torch, which a finished study does not need

    run = build(job.settings)
    if job.settings.engine.name != "stacked":
        return None
    from dlx.engine.stacked import cohort_key

    return (job.settings.threads, *cohort_key(run))


def _outcome(job: Job, returned: JobReturn) -> Outcome:
    value = returned._return_value  # the property would raise a failed run's exception here
    failed = returned.status != JobStatus.COMPLETED
    return Outcome(job.label, job.folder, None if failed else value, value if failed else None)


def _with_label(error: RequestError, label: str) -> RequestError:
    return RequestError(f"{error} [in {shlex.quote(label)}]") if label else error
