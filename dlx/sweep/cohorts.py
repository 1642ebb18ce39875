"""Which runs of a grid train as one, and how many such cohorts side by side."""

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dlx.run.paths import write_atomically

COHORTS = "cohorts.json"  # in a study's folder


@dataclass(frozen=True)
class Cohort:
    """Runs that train as one, or one alone, by their places in the grid, and on how many threads of torch.

    `threads`: where a run's settings do not say; None: as many as its size pays for.
    """

    places: tuple[int, ...]
    threads: int | None


def divide(
    keys: Sequence[Hashable | None], widths: Mapping[Hashable, int], processes: int
) -> list[tuple[int, ...]]:
    """Return the places of runs that train as one, in the order of each cohort's first.

    Runs of equal key go together, at most widths[key] of them, in cohorts of even sizes whose number is
    a multiple of `processes`, so that all of these have the same to do; None stays alone. The same arguments
    make the same cohorts.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    parts: list[tuple[int, ...]] = [(place,) for place in groups.pop(None, [])]
    for key, group in groups.items():
        count = math.ceil(len(group) / widths[key])
        if widths[key] > 1:
            count = min(math.ceil(count / processes) * processes, len(group))
        bounds = [len(group) * part // count for part in range(count + 1)]
        parts += [tuple(group[start:stop]) for start, stop in pairwise(bounds)]
    return sorted(parts)


def recorded(study: Path) -> list[tuple[list[str], int | None]]:
    """Return the cohorts that were formed in this study: the runs' folders and the threads of each.

    None if there is no record, or none that can be read: cohorts are then formed anew.
    """
    try:
        record = json.loads((study / COHORTS).read_text(encoding="utf-8"))
        return [([str(run) for run in entry["runs"]], entry["threads"]) for entry in record["cohorts"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def record(study: Path, cohorts: Sequence[tuple[Sequence[str], int | None]]) -> None:
    """Write down the cohorts, adding to those of earlier requests whose runs are not among these."""
    new = {run for runs, _ in cohorts for run in runs}
    kept = [(runs, threads) for runs, threads in recorded(study) if not new.issuperset(runs)]
    entries = [{"runs": list(runs), "threads": threads} for runs, threads in [*kept, *cohorts]]
    write_atomically(study / COHORTS, (json.dumps({"cohorts": entries}, indent=1) + "\n").encode())
