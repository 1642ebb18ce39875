"""How many runs are best trained as one on this machine: measured in short, once for a kind of run.

What is best is the machine's affair: a stack's calls are fewer, and its tensors leave the cache. The
measurement is kept in the user's cache folder, by everything that it depends on.
"""

import copy
import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from dlx.data.dataset import Split
from dlx.device import Timer, describe
from dlx.engine import loop, stacked
from dlx.engine.probes import Probes
from dlx.engine.run import EpochEnd, Run
from dlx.run.paths import write_atomically

STEPS = 8  # of an epoch that is timed, of which there are three: one to warm up, the better of two
SECONDS = 1.5  # about the longest that a measurement takes
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)


def seconds_by_width(run: Run, most: int, cache: Path) -> dict[int, float]:
    """Return the seconds that a step takes each of W runs like `run` trained as one, W at most `most`.

    W = 1 is the loop. `run` stays as it is; measured on the threads that torch has now. A measurement is read
    from the folder `cache`, or made and written there.
    """
    path = cache / f"{_kind(run)}.json"
    known = _read(path)
    wanted = [width for width in WIDTHS if width <= most]
    missing = [width for width in wanted if width not in known]
    if missing:
        known |= _measure(run, missing, known)
        with suppress(OSError):  # where nothing can be kept, it is measured again next time
            cache.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(known).encode())
    return {width: known[width] for width in wanted if width in known}


def _measure(run: Run, widths: Sequence[int], known: dict[int, float]) -> dict[int, float]:
    measured: dict[int, float] = {}
    start = time.perf_counter()
    for width in widths:
        earlier = min((known | measured).values(), default=0.0)
        if time.perf_counter() - start + earlier * width * STEPS * 3 > SECONDS and measured:
            break
        measured[width] = _seconds_a_step(run, width)
    return measured


def _seconds_a_step(run: Run, width: int) -> float:
    """Return the seconds of a step of one of `width` copies of the run, on its own data."""
    samples = min(STEPS * run.batch_size, len(run.data.train))
    train = run.data.train
    short = replace(
        run.data,
        train=Split(train.inputs[:samples], train.labels[:samples], train.standardise),
        val=Split(train.inputs[:1], train.labels[:1], train.standardise),
    )
    runs = []
    for _ in range(width):
        model, optimizers = copy.deepcopy((run.model, run.optimizers))
        runs.append(
            replace(
                run,
                data=short,
                model=model,
                optimizers=optimizers,
                epochs=3,
                probes=Probes(),
                drop_last=False,
            )
        )
    timer = Timer(run.device)
    times = [timer.seconds() for _ in _trained(runs)]  # before the first epoch, after each of the three
    seconds = min(times[2] - times[1], times[3] - times[2])
    return seconds / math.ceil(samples / run.batch_size) / width


def _trained(runs: Sequence[Run]) -> Iterator[EpochEnd | dict[int, EpochEnd]]:
    if len(runs) == 1:
        yield from loop.train(runs[0])
    else:
        yield from stacked.train(runs, set(range(len(runs))))


def _kind(run: Run) -> str:
    """Return the hash of all that a measurement depends on."""
    facts = (
        stacked.cohort_key(run),
        [type(optimizer).__name__ for optimizer in run.optimizers],
        run.augment is not None and sorted(run.augment.transforms),
        str(next(run.model.parameters()).dtype),
        (
            describe(run.device),
            torch.get_num_threads(),
            os.cpu_count(),
            platform.processor(),
            platform.node(),
        ),
        torch.__version__,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _read(path: Path) -> dict[int, float]:
    try:
        known = json.loads(path.read_text())
        return {int(width): float(seconds) for width, seconds in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # not there, or of no use: it is measured again
        return {}
