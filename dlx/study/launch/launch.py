"""Has a plan's cohorts trained by a launcher, and decides which are tried again."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing

from dlx.config import LauncherSettings
from dlx.study.launch.launcher import Launcher, Task
from dlx.study.launch.local import Local
from dlx.study.launch.pool import Pool
from dlx.study.plan import Plan
from dlx.study.progress import Progress
from dlx.study.study import Study

POLL = 0.25  # seconds between looks at what other processes have written, as often as the terminal is drawn
RETRY = 1.0  # seconds until a cohort that another process holds is tried again


def choose(plan: Plan, settings: LauncherSettings, progress: Progress) -> Launcher:
    """Return the launcher that a request asks for."""
    if settings.name == "joblib":
        from dlx.study.launch.joblib import Joblib

        return Joblib(plan, settings)
    return Local(progress) if plan.processes == 1 else Pool(plan.processes)


def launch(plan: Plan, settings: LauncherSettings, progress: Progress) -> Iterator[Task]:
    """Have every cohort of a plan trained, and yield each as it ends.

    A cohort that another process holds is put back and tried again later. A run without a result after its
    cohort was lost with its process.
    """
    waiting = deque(plan.cohorts)
    held: dict[Task, float] = {}  # until when
    told: set[Task] = set()
    out = 0
    with closing(choose(plan, settings, progress)) as launcher:
        while waiting or held or out:
            for task in [task for task, until in held.items() if until <= time.monotonic()]:
                del held[task]
                if Study(task[0]).is_held(task[1]):
                    held[task] = time.monotonic() + RETRY
                else:
                    waiting.append(task)
            while waiting and out < launcher.places:
                launcher.submit(waiting.popleft())
                out += 1
            attempts = launcher.returned(POLL) if out else []
            if not out:
                time.sleep(POLL)
            progress.look()
            for attempt in attempts:
                out -= 1
                if attempt.how == "held":
                    held[attempt.task] = time.monotonic() + RETRY
                    if attempt.task not in told:
                        progress.wait(*attempt.task)
                        told.add(attempt.task)
                else:
                    yield attempt.task
