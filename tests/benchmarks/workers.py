"""Trains a list of runs in processes, a run at a time each, as a loop can best use a machine's cores.

A share of the epochs can stand for all: what start-up and set-up take is measured apart and counts once, what
epochs take is scaled.
"""

import heapq
import importlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import cast

from tests.benchmarks.images import Images, load
from tests.benchmarks.recipe import Recipe, Trained, shortened

Train = Callable[[Recipe, Images], Trained]
WARM_UP_SAMPLES = 64


@dataclass(frozen=True)
class Wall:
    """Seconds that all runs took, from the start of the first process to the end of the last.

    `training`: of the processes, one after another, for all epochs with their validation.
    """

    whole: float
    start_up: float  # of these, before the first epoch
    training: float


@dataclass(frozen=True)
class Job:
    """A contestant (a module of this folder with a `train`), its images, and the threads of each process.

    None leaves the threads to torch.
    """

    module: str
    file: Path
    threads: int | None = 1


def train_all(job: Job, recipes: Sequence[Recipe], *, processes: int, share: float = 1.0) -> Wall:
    """Train the runs, longest first, with a share of their epochs, and return the time of all epochs.

    Raises what the contestant raised.
    """
    planned = sorted(recipes, key=lambda recipe: recipe.steps, reverse=True)
    short = [shortened(recipe, share) for recipe in planned]
    began = time.perf_counter()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(partial(_train, job), short))
    whole = time.perf_counter() - began
    prepared = [seconds for seconds, _ in done]
    measured = [trained for _, trained in done]
    launching = max(0.0, whole - makespan([*map(_total, prepared, measured)], processes))
    factors = [full.epochs / part.epochs for full, part in zip(planned, short, strict=True)]
    scaled = [
        replace(trained, epochs=trained.epochs * factor)
        for trained, factor in zip(measured, factors, strict=True)
    ]
    return Wall(
        whole=launching + makespan([*map(_total, prepared, scaled)], processes),
        start_up=launching + max(prepared),
        training=sum(trained.epochs for trained in scaled),
    )


def makespan(durations: Sequence[float], processes: int) -> float:
    """Return when the last of these jobs ends, if each begins as soon as one of the processes is free."""
    free = [0.0] * processes
    for duration in durations:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


def _total(prepared: float, trained: Trained) -> float:
    return prepared + trained.setup + trained.epochs


def _train(job: Job, recipe: Recipe) -> tuple[float, Trained]:
    """In a worker: return what its preparation took, which it does once, and the run."""
    began = time.perf_counter()
    train, images = _prepared(job)
    return time.perf_counter() - began, train(recipe, images)


@cache
def _prepared(job: Job) -> tuple[Train, Images]:
    """Import the contestant, load the images, and take a few steps for what is imported as they are taken."""
    import torch

    if job.threads is not None:
        torch.set_num_threads(job.threads)
    train, images = cast("Train", importlib.import_module(job.module).train), load(job.file)
    train(Recipe(epochs=1), images.head(WARM_UP_SAMPLES))
    return train, images
