"""The part of a plane that is shown, and what of a path lies in it."""

from dataclasses import dataclass
from itertools import pairwise

Place = tuple[float, float]  # x, y


@dataclass(frozen=True)
class Box:
    """The part of the plane that is shown, at one scale for x and y."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From bottom to top."""
        return self.top - self.bottom

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point lies inside."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def part(self, start: Place, end: Place) -> tuple[float, float] | None:
        """Return which part of the way from start to end lies inside, (0, 1) for all; None for none.

        Liang and Barsky, "A new concept and method for line clipping", 1984.
        """
        low, high = 0.0, 1.0
        sides = ((self.left, self.right), (self.bottom, self.top))
        for a, b, (least, most) in zip(start, end, sides, strict=True):
            if a == b:
                if not least <= a <= most:
                    return None
                continue
            first, last = sorted(((least - a) / (b - a), (most - a) / (b - a)))
            low, high = max(low, first), min(high, last)
        return (low, high) if low < high else None


def inside(places: list[Place], box: Box) -> list[list[Place]]:
    """Return the pieces of a path that lie in the box, cut where it crosses the edge."""
    pieces: list[list[Place]] = []
    for start, end in pairwise(places):
        part = box.part(start, end)
        if part is None:
            continue
        first, last = (_between(start, end, share) for share in part)
        if not pieces or pieces[-1][-1] != first:
            pieces.append([first])
        pieces[-1].append(last)
    return pieces


def _between(start: Place, end: Place, share: float) -> Place:
    if share in (0, 1):  # exactly, so that pieces join
        return end if share else start
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
