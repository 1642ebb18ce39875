"""The ledger and the list of claims in a terminal of any width; notes below, since they are sentences."""

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from dlx.report.text import visible, write_count
from dlx.reproduce.catalogue import commands
from dlx.reproduce.claim import Claim
from dlx.reproduce.ledger import Ledger

STYLES = {"REPRODUCED": "green", "NOT REPRODUCED": "red", "UNDERPOWERED": "yellow"}


def show(console: Console, ledger: Ledger, page: Path) -> None:
    """Print the ledger. All text goes through `Text`, for rich's markup would act on a name like `[/]`."""
    console.print(Text(" · ".join(ledger.facts), style="bold"))
    console.print(Text(f"{ledger.finding}\n"))
    if ledger.table.rows:
        console.print(_grid(ledger))
    *_, note = range(len(ledger.table.columns))
    for row in ledger.table.rows:
        if row[note]:
            console.print(Text(f"{row[0]}, {row[1]}, {row[2]}: {row[note]}"))
    for label, text in ledger.deviations:
        console.print(Text(f"{label} differs: {text}"))
    for label, why in ledger.not_run:
        console.print(Text(f"{label} was not run: {why}", style="red"))
    console.print(Text("\n".join(["", *ledger.table.notes]), style="dim"))
    # No wrapping: a path broken over two lines can be neither copied nor clicked.
    console.print(Text(f"\n{visible(str(page))}", style="bold"), soft_wrap=True)


def _grid(ledger: Ledger) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    claim, _, _, *others = ledger.table.columns[:-1]  # the note is a sentence: below
    grid.add_column(Text(claim.heading), no_wrap=True)
    grid.add_column(Text("setting and metric"), overflow="fold")
    for column in others:
        grid.add_column(
            Text(column.heading), justify="right" if column.numeric else "left", no_wrap=column.numeric
        )
    for label, setting, metric, *cells, _ in ledger.table.rows:
        texts = [label, f"{setting}: {metric}", *cells]
        grid.add_row(*(Text(text, style=STYLES.get(text, "")) for text in texts))
    return grid


def show_list(console: Console, claims: Sequence[Claim]) -> None:
    """Print every claim: its id or name, what it is and how much was published, its experiment's commands."""
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(Text("claim"), no_wrap=True)
    grid.add_column(Text("what was published"), overflow="fold")
    grid.add_column(Text("the experiment itself"), no_wrap=True)  # a command broken in two cannot be copied
    for claim in claims:
        counts = [
            *([write_count(len(claim.figures), "figure")] if claim.figures else []),
            *([write_count(len(claim.orders), "order")] if claim.orders else []),
        ]
        what = f"{claim.title or claim.claim}: {', '.join(counts) or 'no figure'}"
        lines = "\n".join(visible(command) for command in commands(claim))
        grid.add_row(Text(visible(claim.label)), Text(visible(what)), Text(lines))
    console.print(grid)
    console.print(Text("\nRerun and check what was published: dlx reproduce A2, or all"))
