"""In a terminal: the table as far as it fits, the diagnosis, what was left out, where the page is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from dlx.report.tables import Table
from dlx.report.text import visible, write_count

NAMED = 10  # runs left out, or running, that are named here; the page names all
ROWS = 40  # of the table: more scroll away
TEXTS = 8  # columns of settings; folded to fit, more of them would be a letter wide


def show(
    console: Console,
    title: str,
    finding: str,
    table: Table,
    left_out: Mapping[str, str],
    page: Path,
    diagnosed: Sequence[str] = (),
    running: Mapping[str, str] | None = None,
) -> None:
    """Print the report. All text goes through `Text`, for rich's markup would act on a name like `[/]`."""
    console.print(Text(visible(title), style="bold"))
    console.print(Text(f"{finding}\n"))
    fitting = _fitting(console, table)
    console.print(_grid(table, fitting))
    console.print(Text("\n".join(["", *table.notes, *_hidden(table, len(fitting))]), style="dim"))
    if diagnosed:
        console.print(Text("\n".join(["", *(f"- {line}" for line in diagnosed)])))
    _name(console, "Running", "cyan", running or {})
    _name(console, "Left out", "yellow", left_out)
    # No wrapping: a path broken over two lines can be neither copied nor clicked.
    console.print(Text(f"\n{visible(str(page))}", style="bold"), soft_wrap=True)


def _hidden(table: Table, columns: int) -> list[str]:
    counts = {"row": len(table.rows) - ROWS, "column": len(table.columns) - columns}
    parts = [f"{write_count(count, noun)} more" for noun, count in counts.items() if count > 0]
    return [f"{' and '.join(parts)} on the page and in table.csv."] if parts else []


def _name(console: Console, heading: str, style: str, runs: Mapping[str, str]) -> None:
    """Name runs with what is to say of each."""
    if runs:
        console.print(Text(f"\n{heading}: {write_count(len(runs), 'run')}", style=style))
    for run, words in list(runs.items())[:NAMED]:
        console.print(Text(f"  {visible(run)}: {visible(words)}"))
    if len(runs) > NAMED:
        console.print(Text(f"  and {len(runs) - NAMED} more, named on the page"))


def _fitting(console: Console, table: Table) -> list[int]:
    """Return the columns to show: the least telling are left out until the rest fit unbroken."""
    crowd = {place for place, column in enumerate(table.columns) if not column.numeric}
    crowd -= set(sorted(crowd)[:TEXTS])
    ranks = sorted({column.rank for column in table.columns}, reverse=True)
    for rank in ranks:
        places = [place for place, column in enumerate(table.columns) if column.rank <= rank]
        places = [place for place in places if place not in crowd]
        wanted = Measurement.get(console, console.options.update(max_width=10_000), _grid(table, places))
        if wanted.maximum <= console.width:
            break
    return places


def _grid(table: Table, places: list[int]) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, header_style="", show_edge=False, padding=(0, 1, 0, 0))
    for place in places:
        column = table.columns[place]
        heading = Text(column.heading, style="bold")
        for line in column.rule.split(", ") if column.rule else ():
            heading.append(f"\n{line}", style="dim")
        grid.add_column(
            heading,
            justify="right" if column.numeric else "left",
            overflow="fold",
            no_wrap=column.numeric,
        )
    for row in table.rows[:ROWS]:
        grid.add_row(*(Text(row[place]) for place in places))
    return grid
