"""What was measured, as tables in a terminal and as docs/benchmarks.md.

A section that was not measured this time keeps its text in the file.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.benchmarks.measure import Samples, ratio
from tests.benchmarks.section import Claim, Section

HEAD = """# Benchmarks

Written by `make bench`, which measures dlx beside others on the machine it runs on; do not edit by hand.
Contestants take turns in each round. Times are medians in seconds, with the lowest and the highest in
brackets, and ratios are of medians.
"""

Rows = list[list[str]]


def measured_rows(section: Section, measured: Mapping[str, Samples]) -> Rows:
    """Return the table of times, its header first: a row a contestant, a column a quantity."""
    quantities = list(dict.fromkeys(name for samples in measured.values() for name in samples.seconds))
    base = None
    if section.base is not None:
        base = measured[section.base[0]].median(section.base[1])
    rows = [["", *quantities, *([f"ratio to {section.base[0]}"] if section.base else [])]]
    for name, samples in measured.items():
        if samples.error is not None:
            rows.append([name, f"failed: {samples.error}", *[""] * (len(rows[0]) - 2)])
            continue
        row = [name, *(_spread(samples.seconds.get(quantity)) for quantity in quantities)]
        if section.base is not None:
            row.append(_number(ratio(samples.median(section.base[1]), base)))
        rows.append(row)
    return rows


def claim_rows(claims: Sequence[Claim], measured: Mapping[str, Samples]) -> Rows:
    """Return the table of bounds, its header first."""
    verdicts = {True: "yes", False: "no", None: "not measured"}
    rows = [["wanted", "reached", "kept"]]
    for claim in claims:
        unit = " s" if claim.under is None else ""
        reached = claim.reached(measured)
        number = "" if reached is None else f"{_number(reached)}{unit}"
        rows.append([claim.text, number, verdicts[claim.holds(measured)]])
    return rows


def print_section(console: Console, title: str, section: Section, measured: Mapping[str, Samples]) -> None:
    """Print both tables."""
    console.print(Text(f"\n{title}", style="bold"))
    for rows in (measured_rows(section, measured), claim_rows(section.claims, measured)):
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for index, name in enumerate(rows[0]):
            table.add_column(Text(name), justify="left" if index == 0 else "right", no_wrap=True)
        for row in rows[1:]:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
        console.print()


def markdown(title: str, section: Section, measured: Mapping[str, Samples], notes: Sequence[str]) -> str:
    """Return a section of the file, its heading first, what holds for all sections last."""
    tables = (measured_rows(section, measured), claim_rows(section.claims, measured))
    parts = [f"## {title}", section.about.strip(), *map(_table, tables), *notes]
    return "\n\n".join(parts) + "\n"


def update(file: Path, texts: Mapping[str, str], order: Sequence[str]) -> None:
    """Write the sections `texts`, by title, into `file`, beside those it holds already, in this order."""
    held = {}
    if file.exists():
        for text in re.split(r"^(?=## )", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            held[text.partition("\n")[0].removeprefix("## ")] = text.rstrip("\n") + "\n"
    held |= texts
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([HEAD, *(held[title] for title in order if title in held)]), encoding="utf-8")


def _table(rows: Rows) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [escaped[0], rule, *escaped[1:]])


def _spread(values: Sequence[float] | None) -> str:
    if not values:
        return ""
    range_ = "" if len(values) == 1 else f" ({_number(min(values))} to {_number(max(values))})"
    return f"{_number(median(values))}{range_}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
