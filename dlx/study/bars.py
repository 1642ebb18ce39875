"""Draws how far a request is: a line for all its runs, and one for each of the first few that train.

Whatever the terminal's width, no line wraps: first numbers are left out, then a run's name is shortened.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.text import Text

BAR = 12  # letters of a bar
LEAST = 16  # letters of a name that is cut, before numbers beside it are left out
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


class Layout(NamedTuple):
    """What stands beside a run's name: a bar, which of its details (2: none), and the time left."""

    bar: bool
    detail: int
    time: bool


LAYOUTS = [Layout(*each) for each in ((True, 0, True), (True, 1, True), (False, 1, True), (False, 1, False))]
LAST = Layout(bar=False, detail=2, time=False)


@dataclass
class Pace:
    """How many of `total` epochs are done, and how long the others will take at the pace so far."""

    total: int
    done: int = 0
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _first: tuple[int, float] | None = None  # the epochs done before this process, and when it began

    def reach(self, done: int) -> None:
        """Note that so many epochs are done; the first call says how many were done before."""
        if self._first is None:
            self._first = done, self.clock()
        self.done = done

    @property
    def share(self) -> float:
        """The share of the epochs that is done, from 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end at the pace so far; None before an epoch has ended."""
        if self._first is None or self.done <= self._first[0]:
            return None
        before, since = self._first
        return (self.clock() - since) / (self.done - before) * max(0, self.total - self.done)


@dataclass
class Bar:
    """A run that trains; `details`: its numbers, in more and in fewer words."""

    label: str
    pace: Pace
    details: tuple[str, str] = ("", "")

    @property
    def count(self) -> str:
        """Its epochs so far, of how many."""
        return f"{self.pace.done}/{self.pace.total}"


def draw(bars: Sequence[Bar], width: int, *, ascii_only: bool = False) -> list[Text]:
    """Return a line for each bar, at most `width` wide; runs are named by what tells them apart."""
    names, layout = _fitting(bars, width)
    names = [cut(name, max(1, width - _beside(bars, layout))) for name in names]
    wide = max(map(len, names), default=0)
    counted = max((len(bar.count) for bar in bars), default=0)
    lines = []
    for name, bar in zip(names, bars, strict=True):
        seconds, detail = bar.pace.seconds_left, _detail(bar, layout)
        parts = [Text(f"{name:<{wide}}")]
        parts += [_bar(bar.pace.share, ascii_only)] if layout.bar else []
        parts.append(Text(f"{bar.count:>{counted}}" + (f"  {detail}" if detail else "")))
        parts += [Text(f" {_clock(seconds)}", style="cyan")] if layout.time and seconds is not None else []
        lines.append(Text(" ").join(parts))
    return lines


def _fitting(bars: Sequence[Bar], width: int) -> tuple[list[str], Layout]:
    """Return the names and the layout that say the most in this width."""
    whole = [bar.label for bar in bars]
    forms = [whole, [*map(abbreviate, whole)], distinct(whole)]
    forms.append([*map(abbreviate, forms[-1])])
    for layout in LAYOUTS:
        for names in forms:
            if max(map(len, names), default=0) <= width - _beside(bars, layout):
                return names, layout
    return forms[-1], next((each for each in LAYOUTS if width - _beside(bars, each) >= LEAST), LAST)


def _beside(bars: Sequence[Bar], layout: Layout) -> int:
    """Return how wide everything beside the names is."""
    counted = max((len(bar.count) for bar in bars), default=0)
    widest = max((len(_detail(bar, layout)) for bar in bars), default=0)
    return (BAR + 1) * layout.bar + 1 + counted + (widest + 2 if widest else 0) + 8 * layout.time


def _detail(bar: Bar, layout: Layout) -> str:
    return [*bar.details, ""][layout.detail]


def draw_whole(pace: Pace, ended: int, runs: int, width: int, *, ascii_only: bool = False) -> Text:
    """Return the line for all runs: how many have ended, and how long the others will take."""
    seconds = pace.seconds_left
    left = "" if seconds is None else f"about {write_seconds(seconds)} left"
    parts = [f"{ended} of {runs} runs ended", f"{pace.share:.0%}", left]
    while sum(map(len, parts)) + 2 * len(parts) > width and len(parts) > 1:
        parts.pop()
    said = "  ".join(filter(None, parts))
    bar = _bar(pace.share, ascii_only) if len(said) + BAR + 2 <= width else Text()
    return Text("  ").join(filter(None, [bar, Text(said[:width])]))


def _bar(share: float, ascii_only: bool) -> Text:
    full, empty = ("#", "-") if ascii_only else ("━", "─")
    done = round(share * BAR)
    return Text.assemble((full * done, "green"), (empty * (BAR - done), "dim"))


def _clock(seconds: float) -> str:
    """Write seconds as 0:07, 12:30 or 2 h."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 100 else f"{minutes // 60} h"


def write_seconds(seconds: float) -> str:
    """Write a duration in its two largest units, as "40 s", "3 min" or "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


# --- names


def distinct(labels: Sequence[str]) -> list[str]:
    """Return labels without the words that all of them have; a label alone stays whole."""
    if len(labels) < 2:
        return list(labels)
    words = [label.split(" ") for label in labels]
    shared = set(words[0]).intersection(*map(set, words))
    left = [" ".join(word for word in each if word not in shared) for each in words]
    return left if all(left) else list(labels)


def abbreviate(label: str) -> str:
    """Return a label with names without their keys: "sgd lr=0.1" for "optimizer=sgd lr=0.1"."""
    return " ".join(_value(word) for word in label.split(" "))


def _value(word: str) -> str:
    value = word.partition("=")[2]
    speaks = re.fullmatch(r"(?!none$|null$|true$|false$|auto$)[a-z]\w+", value)
    return value if speaks else word


def cut(label: str, width: int) -> str:
    """Cut a label in its middle: runs differ in their first words and in their last."""
    if len(label) <= width:
        return label
    end = width // 2
    return f"{label[: width - 1 - end]}{ELLIPSIS}{label[len(label) - end :]}"


def fit(labels: Sequence[str], tails: Sequence[int], width: int) -> tuple[list[str], int]:
    """Return labels, all in one form, and the first tail that fits beside the longest of them.

    `tails` holds the widths of what could stand behind a label, from the most to the least. Keys stay if the
    narrowest tail fits beside them. On a terminal that is too narrow even without them, lines wrap.
    """
    short = [*map(abbreviate, labels)]
    for names in (list(labels), short):
        longest = max(map(len, names), default=0)
        for which, tail in enumerate(tails):
            if longest + tail <= width:
                return names, which
    return short, len(tails) - 1
