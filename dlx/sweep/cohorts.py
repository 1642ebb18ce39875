"""Which runs of a grid train as one: those whose nets and batches have the same shapes, so many at a time."""

import math
from collections.abc import Hashable, Sequence


def cohorts(keys: Sequence[Hashable | None], width: int) -> list[list[int]]:
    """Return the places of runs that train together, in the order of each cohort's first.

    Runs of equal key go together, at most `width` of them, in cohorts of even sizes; None stays alone. The
    same keys make the same cohorts, so that a grid that is trained again has the same bits.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(("alone", place) if key is None else ("key", key), []).append(place)
    return sorted(part for group in groups.values() for part in _parts(group, width))


def _parts(group: list[int], width: int) -> list[list[int]]:
    count = math.ceil(len(group) / width)
    return [group[len(group) * part // count : len(group) * (part + 1) // count] for part in range(count)]
