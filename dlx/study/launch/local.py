"""Trains cohorts in this process, one after another."""

from collections import deque
from pathlib import Path

from dlx.study.launch.launcher import Attempt, Task, train_if_free
from dlx.study.progress import Progress
from dlx.study.stopping import Interrupted
from dlx.study.study import Study


class Local:
    """Trains each cohort when its return is waited for, and shows every epoch at once."""

    places = 1

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: deque[Task] = deque()
        self._studies: dict[Path, Study] = {}  # a study reads each request once; for 256 runs it takes 25 ms

    def submit(self, task: Task) -> None:
        """Keep a cohort until `returned` is called."""
        self._tasks.append(task)

    def returned(self, seconds: float) -> list[Attempt]:  # noqa: ARG002 - nothing is waited for
        """Train the cohort."""
        folder, cohort = task = self._tasks.popleft()
        study = self._studies.setdefault(folder, Study(folder))
        try:
            return [Attempt(task, train_if_free(study, cohort, self._progress.displays(folder)))]
        except Interrupted:
            return [Attempt(task, "stopped")]
        except Exception as error:  # noqa: BLE001 - whatever it is, the request decides
            return [Attempt(task, "failed", error=error)]

    def stop(self) -> None:
        """Do nothing: training in this process learns of the signal by itself."""

    def close(self) -> None:
        """Do nothing: no process was started."""
