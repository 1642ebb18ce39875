"""The report in a terminal: the answer, three findings, the columns that fit, the page's path."""

import sys
from collections.abc import Mapping
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from dlx.report.analysis import Analysis
from dlx.report.any_text import any_text
from dlx.report.comparison_text import sentence
from dlx.report.diagnosis.finding import terminal_lines
from dlx.report.diagnosis.first_screen import most_important
from dlx.report.formats import Table
from dlx.report.text import visible, write_count

NAMED = 10  # runs left out, or running, that are named here; the page names all
ROWS = 40  # of the table: more would scroll away
TEXTS = 8  # columns of settings; folded to fit, more would be one letter wide


@any_text()
def print_report(
    console: Console, analysis: Analysis, title: str, page: Path, *, details: bool = False
) -> None:
    """Print the report; with `details`, also everything that stands behind the answer.

    All text goes through `Text`, as rich's markup would act on a name like `[/]`.
    """
    answer = analysis.answer
    console.print(Text(visible(title), style="dim"))
    console.print(Text(answer.sentence, style="bold"))
    for line in (*answer.remarks, f"Next: {answer.next_step}" if answer.next_step else ""):
        if line:
            console.print(Text(line))
    if important := most_important(analysis.diagnosis):
        console.print()
    for finding in important:
        subject = f"{visible(finding.subject)}: " if finding.subject else ""
        _print_item(console, f"{subject}{visible(finding.sentence)}")
    console.print()
    print_table(console, analysis.table)
    more = (
        []
        if details or not analysis.findings
        else ["All findings, comparisons and notes: dlx report --details"]
    )
    for line in filter(None, [answer.method, *more]):
        console.print(Text(line, style="dim"))
    if details:
        _print_details(console, analysis)
    name_runs(console, "Running", "cyan", analysis.data.running)
    name_runs(console, "Left out", "yellow", analysis.data.left_out)
    # Not wrapped: a path that is broken over two lines can be neither copied nor clicked.
    console.print(Text(f"\n{visible(str(page))}", style="bold"), soft_wrap=True)


def _print_item(console: Console, text: str) -> None:
    """Print an item of a list, its lines indented below the first."""
    for index, line in enumerate(Text(text).wrap(console, console.width - 2)):
        line.rstrip()
        console.print(Text("  " if index else "- ") + line)


def _print_details(console: Console, analysis: Analysis) -> None:
    """Print how the settings compare, all findings, checks that were not made, and the table's notes."""
    comparisons, labels = analysis.comparisons, analysis.design.labels
    parts = {
        "How this was compared": analysis.answer.details,
        "Compared with the best": [sentence(each, labels, comparisons) for each in comparisons.against_best],
        "Compared with the baseline": [
            sentence(each, labels, comparisons) for each in comparisons.against_baseline
        ],
        "All findings": terminal_lines(analysis.diagnosis, analysis.design, most=sys.maxsize),
        "Not checked": [f"{kind}: {reason}" for kind, reason in analysis.diagnosis.unchecked],
        "The table": analysis.table.notes,
    }
    for heading, lines in parts.items():
        if lines:
            console.print(Text(f"\n{heading}", style="bold"))
        for line in lines:
            _print_item(console, visible(line))


def name_runs(console: Console, heading: str, style: str, runs: Mapping[str, str]) -> None:
    """Print the first runs with their texts, and how many more there are."""
    if runs:
        console.print(Text(f"\n{heading}: {write_count(len(runs), 'run')}", style=style))
    for run, text in list(runs.items())[:NAMED]:
        console.print(Text(f"  {visible(run)}: {visible(text)}"))
    if len(runs) > NAMED:
        console.print(Text(f"  and {len(runs) - NAMED} more, listed on the page"))


def print_table(console: Console, table: Table, rest: str = "on the page and in table.csv") -> None:
    """Print the table's first rows and the columns that fit, and how much is hidden; the `rest` is there."""
    fitting = _fitting(console, table)
    console.print(_grid(table, fitting))
    counts = {"row": len(table.rows) - ROWS, "column": len(table.columns) - len(fitting)}
    parts = [write_count(count, f"more {noun}") for noun, count in counts.items() if count > 0]
    hidden = f"\n{' and '.join(parts)} {rest}." if parts else ""
    console.print(Text(hidden, style="dim"))


def _fitting(console: Console, table: Table) -> list[int]:
    """Return the columns to show: the least important are dropped until the rest fit unbroken."""
    crowd = {index for index, column in enumerate(table.columns) if not column.numeric}
    crowd -= set(sorted(crowd)[:TEXTS])
    ranks = sorted({column.rank for column in table.columns}, reverse=True)
    for rank in ranks:
        shown = [index for index, column in enumerate(table.columns) if column.rank <= rank]
        shown = [index for index in shown if index not in crowd]
        wanted = Measurement.get(console, console.options.update(max_width=10_000), _grid(table, shown))
        if wanted.maximum <= console.width:
            break
    return shown


def _grid(table: Table, shown: list[int]) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, header_style="", show_edge=False, padding=(0, 1, 0, 0))
    for index in shown:
        column = table.columns[index]
        widest = column.rule or max((row[index] for row in table.rows[:ROWS]), key=len, default="")
        narrow = len(widest) < len(column.heading)
        heading = Text(column.heading.replace(" ", "\n") if narrow else column.heading, style="bold")
        for line in column.rule.split(", ") if column.rule else ():
            heading.append(f"\n{line}", style="dim")
        grid.add_column(
            heading,
            justify="right" if column.numeric else "left",
            overflow="fold",
            no_wrap=column.numeric,
        )
    for row in table.rows[:ROWS]:
        grid.add_row(*(Text(row[index]) for index in shown))
    return grid
