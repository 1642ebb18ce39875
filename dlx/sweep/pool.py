"""Trains cohorts side by side in other processes, on this machine: the standard library's, or joblib's.

The unit is `Work`, which pickles, so that whatever runs a function elsewhere can stand in for these two.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, forkserver
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext

from dlx.sweep.together import Work, train_together

# Processes are forked from one that has imported these and done nothing else, so that all imports are waited
# for once. Where there is no such server each imports them by itself.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
IMPORTED = ["dlx.build", "dlx.engine.trainer", "dlx.sweep.pool"]

POLL = 0.25  # seconds between looks at what the processes have written, as often as the terminal is drawn


def warm_up() -> None:
    """Begin to import, beside this process, what processes of `basic` will need: 3 s of one core."""
    if METHOD == "forkserver":
        multiprocessing.get_context(METHOD).set_forkserver_preload(IMPORTED)
        forkserver.ensure_running()


def train_elsewhere(work: Work) -> list[JobReturn]:
    """Train a cohort in a process that is not the request's; nobody looks but at the files."""
    version.setbase("1.3")  # as hydra.main does in the request's process
    setup_globals()
    config = work.jobs[0].config
    loader = ConfigLoaderImpl(create_config_search_path(None))
    return train_together(work, [None] * len(work.jobs), HydraContext(loader, Callbacks(config)))


def basic(
    works: Sequence[Work], processes: int, look: Callable[[], None]
) -> Iterator[tuple[int, list[JobReturn]]]:
    """Yield each work's place and returns as it ends, in processes of its own; `look` is called meanwhile.

    Whatever ends this one, a signal, an exception or a kill, ends them.
    """
    before = set(multiprocessing.active_children())
    warm_up()
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context(METHOD), _begin)
    try:
        places: dict[Future[list[JobReturn]], int] = {
            pool.submit(train_elsewhere, work): place for place, work in enumerate(works)
        }
        waiting = set(places)
        while waiting:
            done, waiting = wait(waiting, POLL, FIRST_COMPLETED)
            look()
            for future in done:
                yield places[future], _outcome(future, works[places[future]])
        pool.shutdown()
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _outcome(future: Future[list[JobReturn]], work: Work) -> list[JobReturn]:
    """Return what a work came to; where its process was killed, that each of its runs failed with it."""
    try:
        return future.result()
    except BrokenProcessPool:
        died = RuntimeError("a process that trained was killed, for want of memory perhaps")
        returned = [JobReturn(overrides=job.config.hydra.overrides.task) for job in work.jobs]
        for each in returned:
            each.status, each.return_value = JobStatus.FAILED, died
        return returned


def _begin() -> None:
    """Leave an interrupt to the parent, which ends this process; end it, too, when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def through_joblib(
    works: Sequence[Work], processes: int, look: Callable[[], None], arguments: Mapping[str, Any]
) -> Iterator[tuple[int, list[JobReturn]]]:
    """Yield as `basic` does, trained by joblib.Parallel with these arguments over ours."""
    from joblib import Parallel, delayed

    parallel = Parallel(**{"n_jobs": processes, "return_as": "generator_unordered", **arguments})
    for place, returned in parallel(delayed(_placed)(place, work) for place, work in enumerate(works)):
        look()
        yield place, returned


def _placed(place: int, work: Work) -> tuple[int, list[JobReturn]]:
    return place, train_elsewhere(work)
