"""`dlx train --dry-run`: which runs a request has, what they would take, and where they would go.

Every unfinished run is built, as before training, so that whatever is wrong with one is said here too.
Nothing is written, except measured times of steps into the cache.
"""

from collections.abc import Hashable, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from dlx.compose.request import ComposedRun, Request
from dlx.run.identity import flatten, setting_of
from dlx.run.paths import RESULT, cache_root
from dlx.study.bars import write_seconds
from dlx.study.estimate import estimate_seconds
from dlx.study.launch.workers import check_installed, find_workers
from dlx.study.plan import Sketch, sketch_runs
from dlx.study.study import Study
from dlx.study.summary import ROWS, named_table, shared, varied
from dlx.study.training import runs_to_train
from dlx.working import working

MEASURED = 8  # kinds of runs whose steps are timed: at most 1.5 s each; others are estimated from their size
WIDEST = 32  # runs of a kind that are timed together


def dry_run(request: Request, console: Console | None = None) -> None:
    """Print the request's runs, an estimate of their time, and their folders; train nothing.

    Raises RequestError for what is wrong with a run, as training does.
    """
    runs = request.runs
    with working(f"checking {len(runs)} runs") as say:
        check_installed(request.launcher)
        sketches = sketch_runs(runs, runs_to_train(runs))
        say("timing a few steps")
        seconds = seconds_of([*sketches.values()])
        workers = find_workers(request.launcher).count if sketches else 1
    console = console or Console(highlight=False)
    by_setting: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        by_setting.setdefault(setting_of(flatten(run.config)), []).append(index)
    console.print(Text(_counted(len(runs), len(by_setting), len(sketches))), soft_wrap=True)
    if len(runs) > 1:
        many = len(runs) > ROWS
        groups = list(by_setting.values()) if many else [[index] for index in range(len(runs))]
        states = _states(runs, sketches)
        cells = [_cells(group, states, sketches, many=many) for group in groups]
        headings = ["runs to train" if many else "status", "parameters"]
        named = [shared([varied(runs[index].label) for index in group]) for group in groups]
        console.print(named_table(named, headings, cells, console))
    for study in dict.fromkeys(run.folder.parent for run in runs):
        console.print(
            Text(f"results would go to {study}{'' if len(runs) > 1 else f'/{runs[0].folder.name}'}")
        )
    if sketches:
        console.print(Text(_cost([*sketches.values()], seconds, workers)), soft_wrap=True)
    console.print(Text("nothing was trained; without --dry-run, the same command trains"))


def seconds_of(sketches: Sequence[Sketch]) -> float:
    """Return the seconds that these runs would take one after another: their steps, timed a few at a time."""
    kinds: dict[Hashable, list[Sketch]] = {}
    for sketch in sketches:
        kinds.setdefault(sketch.key or id(sketch.example), []).append(sketch)
    timed = [group for group in kinds.values() if group[0].key is not None][:MEASURED]
    seconds = 0.0
    for group in kinds.values():
        a_step = _timed(group) if group in timed else None
        for sketch in group:
            seconds += estimate_seconds([sketch]) if a_step is None else sketch.steps * a_step
    return seconds


def _timed(group: Sequence[Sketch]) -> float:
    """Return the seconds of a step of one run, as many of its kind together as is fastest."""
    import torch

    from dlx.engine.stack_width import seconds_by_width

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        example = group[0].example
        times = seconds_by_width(example, min(len(group), WIDEST), cache_root() / "calibration")
    finally:
        torch.set_num_threads(threads)
    return min(times.values())


def _counted(runs: int, settings: int, to_train: int) -> str:
    said = f"{runs} run{'s' * (runs != 1)} of {settings} setting{'s' * (settings != 1)}"
    if runs == to_train == 1:
        return "1 run, not trained yet"
    if to_train == runs:
        return f"{said}, none of them trained yet"
    return f"{said}: {runs - to_train} ended before, {to_train} to train"


def _states(runs: Sequence[ComposedRun], sketches: Mapping[int, Sketch]) -> list[str]:
    """Say of each run whether it has ended, goes on from a checkpoint, is tried again or is new."""
    studies = {run.folder.parent for run in runs}
    begun = {folder / name for folder in studies for name in Study(folder).runs_with_checkpoint()}
    states = []
    for index, run in enumerate(runs):
        if index not in sketches:
            states.append("ended before")
        elif run.folder in begun:
            states.append("goes on")
        else:
            states.append("again" if (run.folder / RESULT).is_file() else "new")
    return states


def _cells(
    group: Sequence[int], states: Sequence[str], sketches: Mapping[int, Sketch], *, many: bool
) -> list[Text]:
    """Return the cells of a row: the state of its run, or of many how many are to be trained; parameters."""
    counts = {f"{sketches[index].example.parameter_count:,}" for index in group if index in sketches}
    to_train = sum(index in sketches for index in group)
    of_many = str(to_train) if to_train == len(group) else f"{to_train} of {len(group)}"
    return [Text(of_many if many else states[group[0]]), Text(" or ".join(sorted(counts)) or "-")]


def _cost(sketches: Sequence[Sketch], seconds: float, workers: int) -> str:
    steps = sum(sketch.steps for sketch in sketches)
    beside = max(1, min(workers, len(sketches)))
    if any(sketch.example.device.type != "cpu" for sketch in sketches):
        beside = 1
    how = f", {beside} at a time" if beside > 1 else ""
    about = f"training would take about {write_seconds(seconds / beside)}{how}"
    return f"{about} ({steps:,} steps; a few were timed)"
