"""What was measured, as tables in a terminal, as docs/benchmarks.md, and as a part of another page.

A section that was not measured this time keeps its text in the file, and its rows in the opening table.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.benchmarks.measure import Samples, ratio
from tests.benchmarks.opening import HEADER, merged, number
from tests.benchmarks.section import Claim, Measured, Section, Worst

HEAD = """# Benchmarks

{opening}

Seconds of whole commands, from the start of the first process to the end of the last; medians of all rounds.
"Best other way" is the fastest of the peers measured, each as an expert would have it: as many processes of
one thread as there are cores, data in memory. "As its users have it" is the fastest in the way of tutorials:
one process, torch's own threads. The ratios say how many times as long as dlx each takes: above 1, dlx is
faster. The limit is what no way can do without. Each section below says what was compared, with all peers.

Written by `make bench`, which measures dlx beside others on the machine it runs on; do not edit by hand.
Contestants take turns in each round. Times are medians in seconds if not said otherwise, with the lowest and
the highest in brackets, and ratios are of medians. "2 x 1" stands for 2 processes of 1 thread each.
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
            row.append(number(ratio(samples.median(section.base[1]), base)))
        rows.append(row)
    return rows


def claim_rows(claims: Sequence[Claim | Worst], measured: Measured) -> Rows:
    """Return the table of bounds, its header first."""
    verdicts = {True: "yes", False: "no", None: "not measured"}
    rows = [["wanted", "reached", "kept"]]
    for claim in claims:
        reached = claim.reached(measured)
        shown = "" if reached is None else f"{number(reached)}{claim.unit}"
        rows.append([claim.says(measured), shown, verdicts[claim.holds(measured)]])
    return rows


def print_section(console: Console, title: str, section: Section, measured: Mapping[str, Samples]) -> None:
    """Print both tables."""
    console.print(Text(f"\n{title}", style="bold"))
    for rows in _tables(section, measured):
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for index, name in enumerate(rows[0]):
            table.add_column(Text(name), justify="left" if index == 0 else "right", no_wrap=True)
        for row in rows[1:]:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
        console.print()


def markdown(title: str, section: Section, measured: Measured, notes: Sequence[str]) -> str:
    """Return a section of the file, its heading first, what holds for all sections last."""
    tables = map(_table, _tables(section, measured))
    concluded = [] if section.conclude is None else [section.conclude(measured).strip()]
    parts = [f"## {title}", section.about.strip(), *tables, *concluded, *notes]
    return "\n\n".join(parts) + "\n"


def update(file: Path, texts: Mapping[str, str], opening: Rows, order: Sequence[str]) -> None:
    """Write the sections `texts`, by title, into `file`, beside those it holds already, in this order.

    `opening`: the rows of these sections in the table that opens the page.
    """
    held, rows = {}, []
    if file.exists():
        head, *sections = re.split(r"^(?=## )", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        rows = [_cells(line) for line in head.splitlines() if line.startswith("| [")]
        for text in sections:
            held[text.partition("\n")[0].removeprefix("## ")] = text.rstrip("\n") + "\n"
    held |= texts
    table = _table([HEADER, *merged(rows, opening, texts, order)])
    parts = [HEAD.format(opening=table), *(held[title] for title in order if title in held)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(parts), encoding="utf-8")


def insert(file: Path, text: str, name: str) -> None:
    """Write `text` between the markers of this name in `file`; a file that is not there is made of them."""
    start, end = (f"<!-- {name}: {what} -->" for what in ("written by make bench", "end"))
    old = file.read_text(encoding="utf-8") if file.exists() else f"{start}\n{end}\n"
    before, found, rest = old.partition(start)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{file} has no lines {start} and {end}")
    file.write_text(f"{before}{start}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def _tables(section: Section, measured: Measured) -> list[Rows]:
    claims = [claim_rows(section.claims, measured)] if section.claims else []
    return [measured_rows(section, measured), *claims]


def _cells(line: str) -> list[str]:
    """Return the cells of a line that `_table` wrote."""
    return [cell.replace("\\|", "|") for cell in re.split(r" (?<!\\)\| ", line[2:-2])]


def _table(rows: Rows) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [escaped[0], rule, *escaped[1:]])


def _spread(values: Sequence[float] | None) -> str:
    if not values:
        return ""
    range_ = "" if len(values) == 1 else f" ({number(min(values))} to {number(max(values))})"
    return f"{number(median(values))}{range_}"
