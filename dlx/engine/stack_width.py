"""How many runs should train as one stack: the time of a step at each width, and the memory that runs need.

The best width depends on the machine: a wider stack makes fewer calls, but its tensors may no longer fit the
CPU's cache. The times are therefore measured once for each kind of run and kept in dlx's cache folder.
"""

import copy
import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from dlx import __version__
from dlx.data.dataset import Split
from dlx.device import Timer, available_bytes, describe_device
from dlx.engine import loop, stacked
from dlx.engine.probes import Probes
from dlx.engine.run import Run
from dlx.run.paths import write_atomically

STEPS = 8  # in each of three epochs: the first warms up, and the faster of the other two counts
SECONDS = 1.5  # roughly the longest that a measurement takes, once everything is loaded
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)

PARAMETER_COPIES = 4  # each parameter, its gradient and Adam's two moments
ACTIVATION_COPIES = 3  # each activation, its gradient, and temporary results


def seconds_by_width(run: Run, most: int, cache: Path) -> dict[int, float]:
    """Return the seconds of a step, per run, of W runs like `run` in a stack, by width W <= `most`.

    W = 1 is the loop. Widths not yet in the folder `cache` are measured, with torch's current number of
    threads, and added to it. `run` does not change.
    """
    path = cache / f"{_cache_key(run)}.json"
    known = _read(path)
    wanted = [width for width in WIDTHS if width <= most]
    missing = [width for width in wanted if width not in known]
    if missing:
        known |= _measure(run, missing, known)
        with suppress(OSError):  # if the times cannot be kept, they are measured again next time
            cache.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(known).encode())
    return {width: known[width] for width in wanted if width in known}


def bytes_per_member(run: Run) -> int:
    """Estimate the memory of one more run like this in a stack."""
    itemsize = next(run.model.parameters()).element_size()
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    outputs = sum(math.prod(layer.output_shape) for layer in run.layers if layer.output_shape is not None)
    values = math.prod(run.data.input_shape) + outputs
    return itemsize * (PARAMETER_COPIES * parameters + ACTIVATION_COPIES * run.batch_size * values)


def bytes_of_data(run: Run) -> int:
    """Return the size of the run's splits; runs on the same data share them."""
    splits = (run.data.train, run.data.val, run.data.test)
    return sum(split.inputs.nbytes + split.labels.nbytes for split in splits)


def free_bytes(device: torch.device) -> int | None:
    """Return the free memory of a CUDA device, else the available main memory; None if unknown."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else available_bytes()


def _measure(run: Run, widths: Sequence[int], known: dict[int, float]) -> dict[int, float]:
    measured: dict[int, float] = {}
    began = time.perf_counter()
    for width in widths:
        fastest = min((known | measured).values(), default=0.0)
        if time.perf_counter() - began + fastest * width * STEPS * 3 > SECONDS and measured:
            break
        measured[width] = _seconds_a_step(run, width)
        if (
            len(measured) <= 2
        ):  # the first loop and the first stack load modules and kernels, on a GPU for seconds
            began = time.perf_counter()
    return measured


def _seconds_a_step(run: Run, width: int) -> float:
    """Return the seconds of a step, per run, of `width` copies of the run on part of its data."""
    train = run.data.train
    samples = min(STEPS * run.batch_size, len(train))
    short = replace(
        run.data,
        train=Split(train.inputs[:samples], train.labels[:samples], train.standardise),
        val=Split(train.inputs[:1], train.labels[:1], train.standardise),
    )
    eager = replace(run.execution, compile=False)  # compiling takes longer than all that is measured
    few_steps = replace(run, data=short, epochs=3, probes=Probes(), drop_last=False, execution=eager)
    runs = []
    for _ in range(width):
        model, optimizers = copy.deepcopy((run.model, run.optimizers))
        runs.append(replace(few_steps, model=model, optimizers=optimizers))
    timer = Timer(run.device)
    epochs = loop.train(runs[0]) if width == 1 else stacked.train(runs, set(range(width)))
    times = [timer.seconds() for _ in epochs]  # before the first epoch and after each of the three
    seconds = min(times[2] - times[1], times[3] - times[2])
    return seconds / math.ceil(samples / run.batch_size) / width


def _cache_key(run: Run) -> str:
    """Return a hash of all that the time of a step depends on."""
    facts = (
        stacked.cohort_key(run),
        [type(optimizer).__name__ for optimizer in run.optimizers],
        run.augment is not None and sorted(run.augment.transforms),
        (str(next(run.model.parameters()).dtype), run.execution),
        (
            describe_device(run.device),
            torch.get_num_threads(),
            os.cpu_count(),
            platform.processor(),
            platform.node(),
        ),
        (torch.__version__, __version__),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _read(path: Path) -> dict[int, float]:
    try:
        known = json.loads(path.read_text())
        return {int(width): float(seconds) for width, seconds in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # missing or unusable: it is measured again
        return {}
