"""Launchers: take cohorts from their studies and have them trained, here, in processes, or through joblib.

What goes elsewhere is a study's folder and a cohort; what comes back is in the study's files. So whatever can
run a function elsewhere can be a launcher.
"""

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, forkserver
from pathlib import Path

from dlx.config import LauncherSettings
from dlx.study.cohort import train_cohort
from dlx.study.plan import Plan
from dlx.study.progress import Progress, RunDisplay
from dlx.study.study import Cohort, Study

Task = tuple[Path, Cohort]  # the study's folder, and one of its cohorts

# Processes are forked from one that has imported these and done nothing else, so that all imports are waited
# for once. Where there is no such server each process imports them by itself.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
IMPORTED = ["dlx.build", "dlx.engine.trainer", "dlx.study.launch"]
POLL = 0.25  # seconds between looks at what other processes have written, as often as the terminal is drawn


def launch(plan: Plan, launcher: LauncherSettings, progress: Progress) -> Iterator[Task]:
    """Have every cohort of a plan trained, and yield each as it ends.

    A cohort that another process holds is left for the end, and then waited for. A run without a result after
    its cohort was lost with its process.
    """
    if launcher.name == "joblib":
        yield from through_joblib(plan, launcher, progress)
    elif plan.processes == 1:
        yield from here(plan.cohorts, progress)
    else:
        yield from in_processes(plan, progress)


def here(tasks: Sequence[Task], progress: Progress) -> Iterator[Task]:
    """Train the cohorts one after another in this process."""
    for attempts_left in (1, 0):
        held = []
        for folder, cohort in tasks:
            displays = progress.displays(folder)
            if train_when_free(Study(folder), cohort, displays, wait=not attempts_left):
                yield folder, cohort
            else:
                progress.wait(folder, cohort)
                held.append((folder, cohort))
        tasks = held


def train_when_free(
    study: Study, cohort: Cohort, displays: Mapping[str, RunDisplay] | None = None, *, wait: bool
) -> bool:
    """Train a cohort, or what a later request has made of it; return False where another process holds it."""
    while True:
        trained = True
        for part in study.cohorts_of(cohort.runs):
            with study.claim(part, wait=wait) as claimed:
                if claimed:
                    train_cohort(study, part, displays)
            trained = trained and claimed
        if trained or not wait:
            return trained


def warm_up() -> None:
    """Begin to import, beside this process, what others will need: 3 s of one core."""
    if METHOD == "forkserver":
        multiprocessing.get_context(METHOD).set_forkserver_preload(IMPORTED)
        forkserver.ensure_running()


def in_processes(plan: Plan, progress: Progress) -> Iterator[Task]:
    """Train the cohorts side by side in processes of this machine.

    Whatever ends this process, a signal, an exception or a kill, ends them.
    """
    before = set(multiprocessing.active_children())
    warm_up()
    pool = ProcessPoolExecutor(plan.processes, multiprocessing.get_context(METHOD), _begin)

    def submit(task: Task, *, wait: bool) -> Future[bool]:
        return pool.submit(train_elsewhere, task[0].absolute(), task[1], wait=wait)

    try:
        running = {submit(task, wait=False): task for task in plan.cohorts}
        while running:
            done, _ = wait(running, POLL, FIRST_COMPLETED)
            progress.look()
            for future in done:
                task = running.pop(future)
                if _ended(future):
                    yield task
                else:
                    progress.wait(*task)
                    running[submit(task, wait=True)] = task
        pool.shutdown()
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _ended(future: Future[bool]) -> bool:
    """Return whether a cohort was trained, or lost with its process; False if another process holds it."""
    try:
        return future.result()
    except BrokenProcessPool:
        return True


def _begin() -> None:
    """Leave an interrupt to the parent, which ends this process; end it, too, when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def through_joblib(plan: Plan, launcher: LauncherSettings, progress: Progress) -> Iterator[Task]:
    """Train the cohorts through joblib.Parallel, with the launcher's own arguments over ours."""
    from joblib import Parallel, delayed

    arguments = {"n_jobs": plan.processes, "return_as": "generator_unordered", **launcher.parallel}
    tasks = list(plan.cohorts)
    train = delayed(_numbered)
    for number in Parallel(**arguments)(train(i, f.absolute(), c) for i, (f, c) in enumerate(tasks)):
        progress.look()
        yield tasks[number]


def _numbered(number: int, folder: Path, cohort: Cohort) -> int:
    train_elsewhere(folder, cohort, wait=True)
    return number


def train_elsewhere(folder: Path, cohort: Cohort, *, wait: bool) -> bool:
    """Train a cohort in a process that is not the request's, as `train_when_free` does."""
    return train_when_free(_opened(folder), cohort, wait=wait)


@functools.lru_cache(maxsize=1)  # a process trains many cohorts of one study, whose requests are read once
def _opened(folder: Path) -> Study:
    return Study(folder)
