"""Trains cohorts as tasks of a Ray cluster, whose nodes share the study's folder.

The data sets are read once, by the request, and Ray puts them once into the memory of each node. Axes: N
samples of a data set.
"""

import os
import signal
import threading
import warnings
from collections.abc import Mapping
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.config import DataSettings
from dlx.errors import RequestError
from dlx.launchers import RaySettings
from dlx.study.launch.cluster import train_on_cluster
from dlx.study.launch.launcher import Attempt, How, Task
from dlx.study.plan import Plan, Workers
from dlx.study.study import Cohort, Study

if TYPE_CHECKING:
    import numpy as np

    from dlx.data.source import Source

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # else Ray reports its use to its makers
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # else it prints 30 lines of a node's log where a node dies; skips all
}


def connect(settings: RaySettings) -> Workers:
    """Start Ray on this machine, or connect to a cluster; return the workers that it has room for.

    Raises RequestError if there is no such cluster, or if none of its nodes can hold a cohort.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    before = signal.getsignal(signal.SIGTERM)
    import ray

    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
    try:
        if not ray.is_initialized():
            ray.init(**{"address": settings.address, **quiet, **settings.init})
    except (ConnectionError, ValueError, TypeError, RuntimeError) as error:
        line = " ".join(str(error).split())
        raise RequestError(f"launcher=ray: no connection to address={settings.address}: {line}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray sets its own
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    places = [_places(resources, settings) for resources in nodes]
    count = settings.processes or sum(places)
    grows = (
        settings.processes and settings.address != "local"
    )  # a cluster may get the nodes that are asked for
    if not sum(places) and not grows:
        ray.shutdown()
        most = {key: max(node.get(key, 0) for node in nodes) for key in ("CPU", "GPU")}
        raise RequestError(
            f"launcher.cpus={settings.cpus} launcher.gpus={settings.gpus:g}: no node of the Ray cluster has "
            f"as many; the largest have {most['CPU']:g} CPUs and {most['GPU']:g} GPUs"
        )
    memory = [node["memory"] / room for node, room in zip(nodes, places, strict=True) if room]
    return Workers(count, settings.cpus, min(memory, default=None), settings.gpus)


def _places(resources: Mapping[str, float], settings: RaySettings) -> int:
    """Return how many cohorts a node can train side by side."""
    places = resources.get("CPU", 0) / settings.cpus
    if settings.gpus:
        places = min(places, resources.get("GPU", 0) / settings.gpus)
    return floor(places)


class Ray:
    """Gives every cohort to the cluster as a task of its own; Ray decides where and when it runs."""

    def __init__(self, plan: Plan, settings: RaySettings) -> None:
        self.places = settings.processes or max(1, len(plan.cohorts))
        self._settings = settings
        self._studies = {folder: Study(folder) for folder, _ in plan.cohorts}
        self._out: dict[Any, Task] = {}  # by the reference to what the task returns
        self._data: dict[str, Any] = {}  # a reference to each data set, by its key

    def submit(self, task: Task) -> None:
        """Give a cohort and the data sets of its runs to the cluster."""
        import ray

        folder, cohort = task
        data = self._put(folder, cohort)
        # A lost cohort is not tried again by Ray: `launch` does that, and says so.
        options: dict[str, Any] = {
            "num_cpus": self._settings.cpus,
            "num_gpus": self._settings.gpus,
            "max_retries": 0,
        }
        train: Any = ray.remote(**options)(train_in_worker)
        where = Path.cwd()
        reference = train.remote(
            where, folder.absolute(), cohort, self._settings.gpus > 0, list(data), *data.values()
        )
        self._out[reference] = task

    def _put(self, folder: Path, cohort: Cohort) -> dict[str, Any]:
        """Return references to the data sets of a cohort's runs; those that are new are read and put."""
        import ray

        from dlx.data.dataset import source_key

        used: dict[str, Any] = {}
        for name in cohort.runs:
            settings = self._studies[folder].runs[name].settings.data
            key = source_key(settings)
            if key not in self._data:
                self._data[key] = ray.put(_to_numpy(settings))
            used[key] = self._data[key]
        return used

    def returned(self, seconds: float) -> list[Attempt]:
        """Return the cohorts that have come back."""
        import ray

        done, _ = ray.wait(list(self._out), timeout=seconds)
        return [_attempt(self._out.pop(reference), reference) for reference in done]

    def stop(self) -> None:
        """Interrupt the tasks; those that have not begun are taken back."""
        import ray

        for reference in self._out:
            ray.cancel(reference)

    def close(self) -> None:
        """End the tasks, and Ray itself if the request has started it."""
        import ray

        for reference in self._out:
            ray.cancel(reference, force=True)
        self._out, self._data = {}, {}
        ray.shutdown()


def _attempt(task: Task, reference: Any) -> Attempt:
    from ray import exceptions, get

    try:
        return Attempt(task, get(reference))
    except exceptions.WorkerCrashedError:
        return Attempt(task, "lost")
    except exceptions.NodeDiedError:
        return Attempt(task, "lost", "its node died")
    except exceptions.OutOfMemoryError:
        return Attempt(task, "lost", "its node ran out of memory")
    except exceptions.TaskCancelledError:
        return Attempt(task, "stopped")
    except exceptions.RayTaskError as error:
        return Attempt(task, "failed", error=error.cause)


def train_in_worker(
    where: Path, folder: Path, cohort: Cohort, gpus: bool, keys: list[str], *data: dict[str, Any]
) -> How:
    """Train a cohort in a worker process of Ray, in the folder in which the request was given.

    `data`: what `_to_numpy` made of each data set that has one of the `keys`.
    """
    os.chdir(where)
    from dlx.data.dataset import handed_over

    sources = {key: _from_numpy(sent) for key, sent in zip(keys, data, strict=True) if sent}
    with handed_over(sources):
        return train_on_cluster(folder, cohort, gpus=gpus)


def _to_numpy(settings: DataSettings) -> dict[str, Any]:
    """Read a data set; return its arrays, which processes of a node can share without a copy.

    Nothing for one that stays on disk: every worker opens it itself.
    """
    from dlx.data.dataset import read
    from dlx.data.on_disk import OnDisk, in_memory
    from dlx.data.own_files import check_unchanged

    source = read(settings)
    check_unchanged(settings)
    if isinstance(source.train.inputs, OnDisk):
        return {}
    parts = {"train": source.train, "validation": source.validation, "test": source.test}
    arrays = {
        part: (in_memory(it.inputs).numpy(), it.labels.numpy())
        for part, it in parts.items()
        if it is not None
    }
    return {"classes": source.classes, "white": source.white, "arrays": arrays}


def _from_numpy(data: dict[str, Any]) -> "Source":
    from dlx.data.source import Arrays, Source

    parts = {part: Arrays(*map(_tensor, pair)) for part, pair in data["arrays"].items()}
    return Source(data["classes"], parts["train"], parts.get("validation"), parts.get("test"), data["white"])


def _tensor(array_N: "np.ndarray[Any, Any]") -> Any:
    import torch

    with warnings.catch_warnings():
        # The memory that processes share cannot be written to; a data set's is only read.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array_N)
