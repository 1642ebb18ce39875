"""The table that opens the page: a row for each thing that users do, by dlx and by the best other means.

The page itself is the record: a section that was not measured this time keeps its rows, which name it in the
link of their first cell.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from tests.benchmarks.measure import ratio
from tests.benchmarks.section import Case, Measured, Quantity, Section, median

Row = list[str]
HEADER = [
    "",
    "dlx, `engine=auto`",
    "`engine=loop`",
    "best other way",
    "as its users have it",
    "best other way to dlx",
    "users' way to dlx",
    "dlx to the limit",
]
LINKED = re.compile(r"\[(.+)\]\(#(.+)\)")


def opening_rows(title: str, section: Section, measured: Measured) -> list[Row]:
    """Return the rows of a section, all of its cases that dlx did not fail."""
    return [_row(title, case, measured) for case in section.cases if median(measured, case.auto) is not None]


def anchor(title: str) -> str:
    """Return what a heading is linked by on GitHub."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def merged(
    held: Sequence[Row], new: Sequence[Row], measured: Iterable[str], order: Sequence[str]
) -> list[Row]:
    """Return all rows in the order of their sections' titles.

    The rows `new` replace all that the page `held` of the sections that were `measured`.
    """
    anchors = [anchor(title) for title in order]
    replaced = {anchor(title) for title in measured}
    rows = [row for row in held if _section(row) not in replaced] + list(new)
    kept = [row for row in rows if _section(row) in anchors]
    return sorted(kept, key=lambda row: anchors.index(_section(row)))


def number(value: float | None) -> str:
    """Return three significant digits; "" for what was not measured."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _section(row: Row) -> str:
    link = LINKED.search(row[0])
    return link[2] if link else ""


def _row(title: str, case: Case, measured: Measured) -> Row:
    ours = median(measured, case.auto)
    loop, limit = (each and median(measured, each) for each in (case.loop, case.limit))
    (best, best_name), (usual, usual_name) = (_fastest(each, measured) for each in (case.peers, case.usual))
    return [
        f"[{case.name}](#{anchor(title)})",
        _seconds(ours),
        _seconds(loop),
        _seconds(best, best_name),
        _seconds(usual, usual_name),
        number(ratio(best, ours)),
        number(ratio(usual, ours)),
        number(ratio(ours, limit)),
    ]


def _fastest(by_name: Mapping[str, Quantity], measured: Measured) -> tuple[float | None, str]:
    """Return the seconds and the name of the fastest of these; None if none was measured."""
    all_seconds = {name: median(measured, quantity) for name, quantity in by_name.items()}
    known = {name: seconds for name, seconds in all_seconds.items() if seconds is not None}
    name = min(known, key=known.__getitem__, default="")
    return known.get(name), name


def _seconds(seconds: float | None, name: str = "") -> str:
    return "" if seconds is None else f"{number(seconds)} s{', ' if name else ''}{name}"
