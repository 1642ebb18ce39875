"""Trains cohorts side by side in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, forkserver

from dlx.study.launch.launcher import Attempt, How, Task, train_elsewhere

# Processes are forked from one that has imported these and done nothing else, so that all imports are waited
# for once. Where there is no such server each process imports them by itself.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
IMPORTED = ["dlx.build", "dlx.engine.trainer", "dlx.study.launch.pool"]


def warm_up() -> None:
    """Begin to import, beside this process, what others will need: 3 s of one core."""
    if METHOD == "forkserver":
        multiprocessing.get_context(METHOD).set_forkserver_preload(IMPORTED)
        forkserver.ensure_running()


class Pool:
    """Processes that train a cohort each. Whatever ends this process, a signal or a kill, ends them."""

    def __init__(self, processes: int) -> None:
        self.places = processes
        self._before = set(multiprocessing.active_children())
        warm_up()
        self._pool = ProcessPoolExecutor(processes, multiprocessing.get_context(METHOD), _begin)
        self._out: dict[Future[How], Task] = {}

    def submit(self, task: Task) -> None:
        """Give a cohort to the next free process."""
        folder, cohort = task
        self._out[self._pool.submit(train_elsewhere, folder.absolute(), cohort)] = task

    def returned(self, seconds: float) -> list[Attempt]:
        """Return the cohorts that have come back."""
        done, _ = wait(self._out, seconds, FIRST_COMPLETED)
        return [Attempt(self._out.pop(future), _how(future)) for future in done]

    def stop(self) -> None:
        """Do nothing yet."""

    def close(self) -> None:
        """End the processes."""
        if self._out:
            for process in set(multiprocessing.active_children()) - self._before:
                process.terminate()
        self._pool.shutdown(wait=not self._out, cancel_futures=True)


def _how(future: Future[How]) -> How:
    try:
        return future.result()
    except BrokenProcessPool:
        return "lost"


def _begin() -> None:
    """Leave an interrupt to the parent, which ends this process; end it, too, when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
