"""Trains cohorts through joblib.Parallel, and so through any backend registered with joblib."""

import os
import queue
import shutil
import signal
import tempfile
import threading
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from dlx.launchers import JoblibSettings
from dlx.study.launch.launcher import Attempt, How, Task, train_elsewhere
from dlx.study.plan import Plan
from dlx.study.stopping import orderly, request_stop
from dlx.study.study import Cohort

LOOK = 0.25  # seconds between a worker's looks whether it is to stop


class Joblib:
    """Hands a plan's cohorts to joblib.Parallel, with the launcher's own arguments over ours.

    joblib has no way to stop what it has begun, so its workers look for a file that asks for it.
    """

    def __init__(self, plan: Plan, settings: JoblibSettings) -> None:
        self.places = max(1, len(plan.cohorts))
        self._arguments = {
            "n_jobs": plan.processes,
            "return_as": "generator_unordered",
            **settings.parallel,
        }
        self._folder = Path(tempfile.mkdtemp(prefix="dlx-joblib-"))
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

        train, left = delayed(_train), set(tasks)
        try:
            jobs = (
                train(i, folder.absolute(), cohort, self._stop, os.getpid())
                for i, (folder, cohort) in enumerate(tasks)
            )
            for number, how in Parallel(**self._arguments)(jobs):
                left.remove(tasks[number])
                self._attempts.put(Attempt(tasks[number], how))
        except Exception as error:  # noqa: BLE001 - whatever it is, the request decides
            lost = isinstance(error, BrokenExecutor)  # one process died, and joblib has ended the others
            for task in left:
                self._attempts.put(Attempt(task, "lost") if lost else Attempt(task, "failed", error=error))

    @property
    def _stop(self) -> Path:
        return self._folder / "stop"

    def stop(self) -> None:
        """Ask the workers to stop at their next step."""
        self._stop.touch()

    def close(self) -> None:
        """Ask again whatever still trains; joblib ends its processes with this one."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _train(number: int, folder: Path, cohort: Cohort, stop: Path, request: int) -> tuple[int, How]:
    """Train a cohort until the file `stop` is there, or its folder is not."""
    ended = threading.Event()

    def look() -> None:
        while stop.parent.exists() and not stop.exists():
            if ended.wait(LOOK):
                return
        request_stop(signal.SIGTERM)

    # A backend of threads trains in the request's process, which has handlers of its own.
    alone = os.getpid() != request
    handlers: AbstractContextManager[None] = orderly(partial(os._exit, 1)) if alone else nullcontext()
    with handlers:
        threading.Thread(target=look, daemon=True).start()
        try:
            return number, train_elsewhere(folder, cohort)
        finally:
            ended.set()
