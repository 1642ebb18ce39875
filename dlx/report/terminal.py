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

NAMED = 10  # runs left out that are named here; the page names all


def show(
    console: Console,
    title: str,
    finding: str,
    table: Table,
    left_out: Mapping[str, str],
    page: Path,
    diagnosed: Sequence[str] = (),
) -> None:
    """Print the report. All text goes through `Text`, for rich's markup would act on a name like `[/]`."""
    console.print(Text(visible(title), style="bold"))
    console.print(Text(f"{finding}\n"))
    fitting = _fitting(console, table)
    console.print(_grid(table, fitting))
    hidden = len(table.columns) - len(fitting)
    notes = [
        *table.notes,
        *([f"{write_count(hidden, 'column')} more on the page and in table.csv."] if hidden else []),
    ]
    console.print(Text("\n".join(["", *notes]), style="dim"))
    if diagnosed:
        console.print(Text("\n".join(["", *(f"- {line}" for line in diagnosed)])))
    if left_out:
        console.print(Text(f"\nLeft out: {write_count(len(left_out), 'run')}", style="yellow"))
        for run, reason in list(left_out.items())[:NAMED]:
            console.print(Text(f"  {visible(run)}: {visible(reason)}"))
        if len(left_out) > NAMED:
            console.print(Text(f"  and {len(left_out) - NAMED} more, named on the page"))
    # No wrapping: a path broken over two lines can be neither copied nor clicked.
    console.print(Text(f"\n{visible(str(page))}", style="bold"), soft_wrap=True)


def _fitting(console: Console, table: Table) -> list[int]:
    """Return the columns to show: the least telling are left out until the rest fit unbroken."""
    ranks = sorted({column.rank for column in table.columns}, reverse=True)
    for rank in ranks:
        places = [place for place, column in enumerate(table.columns) if column.rank <= rank]
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
    for row in table.rows:
        grid.add_row(*(Text(row[place]) for place in places))
    return grid
