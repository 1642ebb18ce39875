"""How many runs of each kind train as one: as many as fit the memory and are fastest, if the stack is right.

A kind's stack is compared with the loop before anything trains. Then the time of a step is measured at each
width, unless so little is to be done that a measurement would not pay.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlx.run.paths import cache_root

if TYPE_CHECKING:
    from dlx.compose.request import ComposedRun
    from dlx.config import EngineSettings
    from dlx.study.plan import Sketch

UNMEASURED_WIDTH = 32


@dataclass(frozen=True)
class Widths:
    """The width of each kind of run, by `Sketch.key`, and what to tell the user about their stacks."""

    by_key: Mapping[Hashable, int]
    notices: Sequence[str]


def find_widths(
    runs: "Sequence[ComposedRun]",
    sketches: "Mapping[int, Sketch]",
    most_in_memory: "Callable[[Sketch, int], int]",
    *,
    measured: bool,
) -> Widths:
    """Find the width of each kind among the runs that have a sketch.

    `most_in_memory(sketch, count)`: how many of `count` runs of a kind may train together.
    """
    by_key: dict[Hashable, int] = {}
    alone: Counter[str] = Counter()  # runs by the reason why they cannot be stacked
    through_vmap: dict[Hashable, float] = {}  # the largest difference from the loop, by kind
    counts: Counter[Hashable] = Counter(sketch.key for sketch in sketches.values())
    for index, sketch in sketches.items():
        if sketch.key is None:
            alone[sketch.alone_because if measured else ""] += 1
        if sketch.key is None or sketch.key in by_key:
            continue
        engine = runs[index].settings.engine
        most = min(most_in_memory(sketch, counts[sketch.key]), engine.width or counts[sketch.key])
        width, reason, difference = _width(sketch, engine, most, measured=measured)
        by_key[sketch.key] = width
        if reason:
            alone[reason] += counts[sketch.key]
        elif width > 1 and difference is not None:
            through_vmap[sketch.key] = difference
    told = [(reason, count) for reason, count in alone.items() if reason and count > 1]
    notices = [f"{count} runs train one by one: {reason}" for reason, count in told]
    if through_vmap:
        stacked = sum(counts[key] for key in through_vmap)
        largest = max(through_vmap.values())
        notices.append(f"stacked through vmap: {stacked} runs, largest difference {largest:.1g}")
    return Widths(by_key, notices)


def _width(
    sketch: "Sketch", engine: "EngineSettings", most: int, *, measured: bool
) -> tuple[int, str, float | None]:
    """Return a kind's width, why it is not stacked, and by how much a stack of vmap differs from the loop."""
    if most == 1:
        return 1, "", None
    from dlx.engine.stack_check import check_stack
    from dlx.engine.stacked import is_of_layers

    own = is_of_layers(sketch.example)
    if engine.name == "auto" and not measured and not own:
        return 1, "", None  # a stack of vmap is faster for narrow nets and many runs only
    check = check_stack(sketch.example)
    if check.reason:
        return 1, check.reason, None
    if engine.width is not None:
        width = most
    elif measured:
        width = _best_width(sketch, most, alone=engine.name == "auto")
    else:
        width = min(most, UNMEASURED_WIDTH)
    return width, "", None if own else check.difference


def _best_width(sketch: "Sketch", most: int, *, alone: bool) -> int:
    """Return the width, at most `most`, whose steps take a run the least; 1 only if it may train `alone`."""
    import torch

    from dlx.engine.stack_width import seconds_by_width

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = seconds_by_width(sketch.example, most, cache_root() / "calibration")
    finally:
        torch.set_num_threads(threads)
    if not alone and len(seconds) > 1:
        del seconds[1]
    return min(seconds, key=lambda width: (seconds[width], width))
