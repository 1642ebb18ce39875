"""Finds runs that several students handed in, or that a student took from the reference."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from dlx.grade.work import HandedInRun
from dlx.report.text import visible
from dlx.run.identity import comparable, requested

NAMED = 3  # owners in one sentence


def find_copies(runs_of: Mapping[str, Sequence[HandedInRun]]) -> dict[str, list[str]]:
    """Say for each owner, in sentences, whose runs are the same as theirs; owners without any are left out.

    Equal settings and seeds give equal numbers on equal machines, so equal numbers alone prove nothing.
    Equal times prove a copy, and so do equal numbers with other settings or seeds.
    """
    owners: dict[str, list[tuple[str, HandedInRun]]] = defaultdict(list)
    for owner, runs in runs_of.items():
        for run in runs:
            if run.numbers:
                owners[run.numbers].append((owner, run))
    found: dict[str, list[str]] = {}
    for owner, runs in runs_of.items():
        of_kind: dict[str, dict[str, None]] = defaultdict(dict)
        for run in runs:
            for other, theirs in owners.get(run.numbers, ()):
                if other != owner and (kind := _kind_of_copy(run, theirs)):
                    of_kind[kind][other] = None
        if of_kind:
            found[owner] = [kind.format(_some(list(names))) for kind, names in of_kind.items()]
    return found


def _kind_of_copy(run: HandedInRun, other: HandedInRun) -> str:
    """Say how a run copies another with equal numbers, with {} for its owner; "" if it may not be a copy."""
    if run.times and run.times == other.times:
        return "the same run as {}, times included"
    if run.result is None or other.result is None:
        return "the same numbers as {} in every epoch"
    if comparable(requested(run.settings)) == comparable(requested(other.settings)):
        return ""
    return "the same numbers as {}, under other settings or seeds"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(visible, names[:NAMED])) + more
