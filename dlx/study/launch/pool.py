"""Trains cohorts side by side in processes of this machine; when one of them dies, the others go on.

Whatever ends this process, a signal or a kill, ends them.
"""

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.connection import Connection
from types import FrameType

from dlx.study.launch.launcher import Attempt, Task, train_elsewhere
from dlx.study.stopping import SIGNALS, request_stop, stop_requested

# Processes are forked from one that has imported these and done nothing else, so that all imports are waited
# for once. Where there is no such server each process imports them by itself.
SERVER = "forkserver" in multiprocessing.get_all_start_methods()
IMPORTED = ["dlx.build", "dlx.engine.trainer", "dlx.study.launch.pool"]
NOT_SEEN = 255  # exit code of a process whose end the server did not live to see
VISIBLE = "CUDA_VISIBLE_DEVICES"
ENDING = 5.0  # seconds for a process that has nothing to do to end by itself


def warm_up() -> None:
    """Begin to import, beside this process, what others will need: as long as torch takes."""
    if SERVER:
        multiprocessing.get_context("forkserver").set_forkserver_preload(IMPORTED)
        with _signals_held_back():
            forkserver.ensure_running()


class Pool:
    """At most `processes` processes, which train a cohort each, and then another.

    `gpus`: as CUDA names them, one for each process, which sees no other; none: all see all.
    """

    def __init__(self, processes: int, gpus: Sequence[str] = ()) -> None:
        self.places = processes
        self._gpus = list(gpus)  # that no process has
        self._free: list[_Worker] = []
        self._busy: dict[Connection, tuple[_Worker, Task]] = {}
        warm_up()

    def submit(self, task: Task) -> None:
        """Give a cohort to a process that is free, or to a new one."""
        while self._free:
            worker = self._free.pop()
            if worker.give(task):
                break
            self._end(worker)
        else:
            worker = _Worker(self._gpus.pop(0) if self._gpus else None)
            worker.give(task)  # if it has died already, its pipe says so
        self._busy[worker.pipe] = worker, task

    def returned(self, seconds: float) -> list[Attempt]:
        """Return the cohorts that have come back."""
        attempts = []
        for pipe in connection.wait(list(self._busy), seconds):
            assert isinstance(pipe, Connection), "only pipes are waited for"
            worker, task = self._busy.pop(pipe)
            try:
                said = pipe.recv()
            except (EOFError, OSError):
                attempts.append(Attempt(task, "lost", self._end(worker)))
                continue
            if said == "stopped":  # it ends
                self._end(worker)
            else:
                self._free.append(worker)
            error = said if isinstance(said, Exception) else None
            attempts.append(Attempt(task, "failed" if error else said, error=error))
        return attempts

    def _end(self, worker: "_Worker") -> str:
        """Wait for a process's end, take its GPU back, and return how it ended."""
        how = worker.end()
        if worker.gpu is not None:
            self._gpus.append(worker.gpu)
        return how

    def stop(self) -> None:
        """Ask the processes to stop at their next step."""
        for worker, _ in self._busy.values():
            worker.signal(signal.SIGTERM)

    def close(self) -> None:
        """End the processes: those that train are killed."""
        for worker, _ in list(self._busy.values()):
            worker.signal(signal.SIGKILL)
        for worker in self._free:
            worker.pipe.close()
        for worker in (*self._free, *(worker for worker, _ in self._busy.values())):
            worker.end()
        self._free, self._busy = [], {}


class _Worker:
    """A process that trains what comes through its pipe, on one `gpu` or on whatever there is."""

    def __init__(self, gpu: str | None) -> None:
        self.gpu = gpu
        context = (
            multiprocessing.get_context("forkserver") if SERVER else multiprocessing.get_context("spawn")
        )
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, gpu), name="dlx train")
        with _signals_held_back():
            self._process.start()
        theirs.close()  # so that the pipe ends when the process does

    def give(self, task: Task) -> bool:
        """Have it train a cohort; return False if it has died."""
        folder, cohort = task
        try:
            self.pipe.send((folder.absolute(), cohort))
        except OSError:
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has died."""
        if self._process.pid is not None and self._process.exitcode in (None, NOT_SEEN):
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def end(self) -> str:
        """Wait for its end, kill it if that takes long, and return how it ended, if that is known."""
        self.pipe.close()
        self._process.join(ENDING)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(ENDING)
        code = self._process.exitcode
        if code is None or code >= 0:
            return "" if code in (None, NOT_SEEN) else f"exit code {code}"
        return f"killed by {signal.Signals(-code).name}"


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Start processes that get none of the signals that stop a request; this process gets them afterwards.

    What is started here inherits that: the server that forks, while it imports and later, and its children.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        resource_tracker.ensure_running()  # starting it lets SIGINT and SIGTERM through again
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def visible_gpus() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES can choose among the GPUs that torch sees here."""
    import torch

    chosen = os.environ.get(VISIBLE)
    return chosen.split(",") if chosen else [str(index) for index in range(torch.cuda.device_count())]


def _work(pipe: Connection, gpu: str | None) -> None:
    """Train what comes through the pipe, until it is closed."""
    if gpu is not None:
        os.environ[VISIBLE] = gpu  # CUDA reads it when it is first used, which is later
    _follow_signals()
    _end_with_parent()
    while not stop_requested():
        try:
            folder, cohort = pipe.recv()
        except EOFError:
            return
        try:
            answer: object = train_elsewhere(folder, cohort)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request decides
            answer = _portable(error)
        pipe.send(answer)


def _portable(error: Exception) -> Exception:
    """Return the error with its traceback as a note, or what can be sent in its place."""
    note = traceback.format_exc()
    try:
        sent: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 - this process's own
    except Exception:  # noqa: BLE001 - a class that cannot be pickled may raise any
        sent = RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note(note)
    return sent


def _follow_signals() -> None:
    """Leave Ctrl-C and a closed terminal to the parent, which sends SIGTERM: stop at the next step."""

    def stop(number: int, _: FrameType | None) -> None:
        request_stop(number)

    for number in SIGNALS:
        signal.signal(number, stop if number == signal.SIGTERM else signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
