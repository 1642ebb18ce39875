"""Has a plan's cohorts trained by a launcher, and decides which are tried again, and when."""

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from contextlib import closing

from dlx.launchers import JoblibSettings, LauncherSettings, RaySettings, SlurmSettings
from dlx.study import stopping
from dlx.study.launch.launcher import Attempt, Launcher, Task
from dlx.study.launch.local import Local
from dlx.study.launch.pool import Pool, visible_gpus
from dlx.study.plan import Plan
from dlx.study.progress import Progress
from dlx.study.study import Study

POLL = 0.25  # seconds between looks at what other processes have written, as often as the terminal is drawn
RETRY = 1.0  # seconds until a cohort that another process holds is looked at again
TRIES = 3  # deaths of its process without progress after which a cohort is given up; the last one alone
SLOW = 1.0  # seconds that a stop may take without a word
STOP_WITHIN = 30.0  # seconds for what still trains to stop, after storage has failed

Tell = Callable[[Task, str], object]  # called with a cohort that has ended; why, if it was given up


def choose(plan: Plan, settings: LauncherSettings, progress: Progress) -> Launcher:
    """Return the launcher that a request asks for."""
    match settings:
        case JoblibSettings():
            from dlx.study.launch.joblib import Joblib

            return Joblib(plan, settings)
        case RaySettings():
            from dlx.study.launch.ray import Ray

            return Ray(plan, settings)
        case SlurmSettings():
            from dlx.study.launch.slurm import Slurm

            return Slurm(plan, settings)
    if plan.processes == 1:
        return Local(progress)
    return Pool(plan.processes, visible_gpus() if plan.spread else ())


def launch(plan: Plan, settings: LauncherSettings, progress: Progress, tell: Tell) -> None:
    """Have every cohort of a plan trained, and `tell` of each as it ends.

    Raises Interrupted after a signal, and OSError if storage failed; by then nothing trains any more.
    """
    with closing(choose(plan, settings, progress)) as launcher, stopping.orderly(launcher.close):
        dispatch = Dispatch(plan, launcher, progress, tell)
        try:
            dispatch.run()
        except Exception:
            dispatch.stop(STOP_WITHIN)
            raise


class Dispatch:
    """Hands a plan's cohorts to a launcher, and takes them back.

    A cohort that another process holds is put aside and looked at again, so that nobody waits for a lock. One
    whose process died goes to the end of the queue; if it then dies without any progress, it is tried with
    nothing else beside it, and then given up.
    """

    def __init__(self, plan: Plan, launcher: Launcher, progress: Progress, tell: Tell) -> None:
        self._launcher, self._progress, self._tell = launcher, progress, tell
        self._queue = deque(plan.cohorts)
        self._alone: deque[Task] = deque()  # to be tried with nothing beside them
        self._held: dict[Task, float] = {}  # by another process; when to look again
        self._studies = {folder: Study(folder) for folder, _ in plan.cohorts}
        self._out: dict[Task, Hashable] = {}  # with the progress when they were handed out
        self._deaths: Counter[Task] = Counter()
        self._told = False

    def run(self) -> None:
        """Return when every cohort has ended or was given up."""
        while self._queue or self._alone or self._held or self._out:
            if (interrupted := stopping.interruption()) is not None:
                self.stop()
                raise interrupted
            self._look_at_held()
            self._hand_out()
            for attempt in self._returned():
                self._take(attempt)

    def stop(self, within: float | None = None) -> None:
        """Have whatever trains stop, and wait for it, at most `within` seconds."""
        began, told = time.monotonic(), False
        self._launcher.stop()
        while self._out and (within is None or time.monotonic() < began + within):
            for attempt in self._returned():  # errors that follow the first have the same cause
                del self._out[attempt.task]
                if attempt.how == "ended":
                    self._tell(attempt.task, "")
            if within is None and not told and time.monotonic() > began + SLOW:
                told = True
                self._progress.print("stopping after the current step; Ctrl-C again stops at once")

    def _hand_out(self) -> None:
        if self._alone and not self._out:
            self._submit(self._alone.popleft())
        while self._queue and len(self._out) < self._launcher.places and not self._is_alone():
            self._submit(self._queue.popleft())

    def _is_alone(self) -> bool:
        return any(self._deaths[task] == TRIES - 1 for task in self._out)

    def _submit(self, task: Task) -> None:
        folder, cohort = task
        self._out[task] = self._studies[folder].progress(cohort)
        self._launcher.submit(task)

    def _returned(self) -> list[Attempt]:
        if self._out:
            attempts = self._launcher.returned(POLL)
        else:
            time.sleep(POLL)
            attempts = []
        self._progress.look()
        return attempts

    def _take(self, attempt: Attempt) -> None:
        task = attempt.task
        before = self._out.pop(task)
        if attempt.error is not None:
            raise attempt.error
        if attempt.how == "ended":
            self._tell(task, "")
        elif attempt.how == "held":
            self._held[task] = time.monotonic() + RETRY
        elif stopping.stop_requested():
            self._queue.append(task)  # it has not ended, and `run` is about to see why
        else:
            self._lost(task, before, attempt.reason)

    def _look_at_held(self) -> None:
        for task, when in list(self._held.items()):
            if when > time.monotonic():
                continue
            folder, cohort = task
            study = self._studies[folder]
            if study.is_held(cohort):
                self._held[task] = time.monotonic() + RETRY
                continue
            del self._held[task]
            if all(study.result(run) for run in cohort.runs):
                self._tell(task, "")
            else:
                self._queue.append(task)
        if self._held and not (self._told or self._queue or self._alone or self._out):
            self._told = True
            self._progress.wait([folder / run for folder, cohort in self._held for run in cohort.runs])

    def _lost(self, task: Task, before: Hashable, reason: str) -> None:
        """Put a cohort back whose process died, or give it up."""
        folder, cohort = task
        if self._studies[folder].progress(cohort) != before:
            self._deaths[task] = 0
        self._deaths[task] += 1
        if self._deaths[task] >= TRIES:
            with self._studies[folder].claim(cohort):  # so that nothing of the dead holder is left
                self._tell(task, _why(self._deaths[task], reason))
            return
        alone = self._deaths[task] == TRIES - 1
        (self._alone if alone else self._queue).append(task)
        self._progress.died([folder / run for run in cohort.runs], reason, alone=alone)


def _why(deaths: int, reason: str) -> str:
    how = f" ({reason})" if reason else ""
    return f"its process died {deaths} times{how}, at last with nothing beside it; memory may be too small"
