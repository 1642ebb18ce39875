"""Which columns of the table go into the files for papers, by short names."""

from collections import Counter
from collections.abc import Sequence

from dlx.errors import RequestError, nearest
from dlx.report.formats import Table


def choose_columns(table: Table, asked: Sequence[str]) -> Table:
    """Return the table with these columns, in this order; all of them if none is asked for.

    A column is called as its heading is, with underscores: "val_accuracy", "against_best". The score at the
    best epoch, whose heading is that of the last, is "val_accuracy_best". Raises RequestError for any other
    name.
    """
    if not asked:
        return table
    names = column_names(table)
    for name in asked:
        if name not in names:
            raise RequestError(
                f"--columns: the table has no column '{name}'{nearest(name, names)} "
                f"(columns: {', '.join(names)})"
            )
    places = [names.index(name) for name in asked]
    return Table(
        [table.columns[place] for place in places],
        [[row[place] for place in places] for row in table.rows],
        table.notes,
    )


def column_names(table: Table) -> list[str]:
    """Return a name for each column, all different."""
    named = ["_".join(column.heading.split()) for column in table.columns]
    seen: Counter[str] = Counter()
    names = []
    for name, column in zip(named, table.columns, strict=True):
        seen[name] += 1
        again = "best" if column.rule.startswith("best epoch") else str(seen[name])
        names.append(name if seen[name] == 1 else f"{name}_{again}")
    return names
