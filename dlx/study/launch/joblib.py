"""Trains cohorts through joblib.Parallel, and so through any backend registered with joblib."""

import queue
import threading
from pathlib import Path

from dlx.config import LauncherSettings
from dlx.study.launch.launcher import Attempt, How, Task, train_elsewhere
from dlx.study.plan import Plan
from dlx.study.study import Cohort


class Joblib:
    """Hands a plan's cohorts to joblib.Parallel, with the launcher's own arguments over ours."""

    def __init__(self, plan: Plan, settings: LauncherSettings) -> None:
        self.places = max(1, len(plan.cohorts))
        self._arguments = {
            "n_jobs": plan.processes,
            "return_as": "generator_unordered",
            **settings.parallel,
        }
        self._tasks: list[Task] = []
        self._attempts: queue.Queue[Attempt] = queue.Queue()

    def submit(self, task: Task) -> None:
        """Keep a cohort until `returned` is called."""
        self._tasks.append(task)

    def returned(self, seconds: float) -> list[Attempt]:
        """Give joblib what was submitted, and return what has come back."""
        if self._tasks:
            threading.Thread(target=self._run, args=(self._tasks,), daemon=True).start()
            self._tasks = []
        try:
            return [self._attempts.get(timeout=seconds)]
        except queue.Empty:
            return []

    def _run(self, tasks: list[Task]) -> None:
        from joblib import Parallel, delayed

        train, left = delayed(_numbered), set(tasks)
        try:
            jobs = (train(i, folder.absolute(), cohort) for i, (folder, cohort) in enumerate(tasks))
            for number, how in Parallel(**self._arguments)(jobs):
                left.remove(tasks[number])
                self._attempts.put(Attempt(tasks[number], how))
        except Exception as error:  # noqa: BLE001 - whatever it is, the request decides
            for task in left:
                self._attempts.put(Attempt(task, "failed", error=error))

    def stop(self) -> None:
        """Do nothing: joblib has no way to ask."""

    def close(self) -> None:
        """Do nothing: joblib ends its processes."""


def _numbered(number: int, folder: Path, cohort: Cohort) -> tuple[int, How]:
    return number, train_elsewhere(folder, cohort)
