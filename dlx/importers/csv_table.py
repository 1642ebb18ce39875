"""A CSV table of many runs: one row a run, or one row an epoch or step; and which column means what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dlx.errors import RequestError, list_words, nearest
from dlx.importers import names
from dlx.importers.foreign_run import Columns, ForeignRun, read_number, read_status, read_value
from dlx.importers.shapes import to_columns
from dlx.importers.table import TextTable

MOST_NAMED = 12  # columns in a message


@dataclass(frozen=True)
class Roles:
    """The columns of a table by what they mean; "" and () where there is none."""

    run: str
    position: str
    seeds: tuple[str, ...]
    metrics: tuple[str, ...]
    settings: tuple[str, ...]
    status: str
    seconds: str


def runs_of_table(table: TextTable, asked: Columns) -> list[ForeignRun]:
    """Return the runs of a table.

    Raises RequestError if a column that was asked for is missing, or if it is ambiguous which columns are the
    settings.
    """
    table = to_columns(table, asked)
    _check_asked(table, asked)
    position = asked.epoch or names.first_named(names.EPOCHS, table.columns)
    roles = _roles(table, asked, position)
    groups = _groups(table, roles)
    if position and all(len(rows) == 1 for rows in groups.values()) and not asked.epoch:
        roles = _roles(table, asked, "")  # it says when a run was best, not what a row is
        groups = {(str(row),): [row] for row in range(table.rows)}
    elif not position:
        groups = {(str(row),): [row] for row in range(table.rows)}
    else:
        roles = _constant_settings(table, roles, groups, asked)
    if not asked.setting:
        _check_settings(table, roles, groups)
    every = list(groups.values())
    run_names = _run_names(table, roles, every)
    return [_run(table, roles, rows, name) for rows, name in zip(every, run_names, strict=True)]


def _check_asked(table: TextTable, asked: Columns) -> None:
    options = {
        "--setting": asked.setting,
        "--seed": asked.seed,
        "--run": [asked.run],
        "--epoch": [asked.epoch],
        "--metric": [asked.metric],
    }
    for option, given in options.items():
        for name in given:
            if name and name not in table.columns:
                raise RequestError(
                    f"{option}: {table.path} has no column '{name}'{nearest(name, table.columns)} "
                    f"(columns: {some(table.columns)})"
                )
    if asked.metric and not table.numeric(asked.metric):
        raise RequestError(f"--metric: the column '{asked.metric}' of {table.path} does not hold numbers")


def some(columns: Iterable[str]) -> str:
    """Write the names of columns; only the first if there are many."""
    every = list(columns)
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more


def _roles(table: TextTable, asked: Columns, position: str) -> Roles:
    """Decide by name, and by whether a column holds numbers, what each column is."""
    run = asked.run or _run_column(table, asked, position)
    seeds = asked.seed or tuple(filter(None, [names.first_named(names.SEEDS, table.columns)]))
    status = names.first_named(names.STATUS, table.columns)
    seconds = names.first_named(names.SECONDS, table.columns)
    taken = {run, position, *seeds, *asked.setting, asked.metric}
    taken |= {each for each in (status, seconds) if each not in asked.setting}
    rest = [
        name
        for name in table.columns
        if name not in taken
        and names.simple(name) not in (*names.IGNORED, *names.EPOCHS[1:])
        and any(cell.strip() for cell in table.columns[name])
    ]
    measured = tuple(name for name in rest if names.is_metric(name) and table.numeric(name))
    return Roles(
        run,
        position,
        seeds,
        (*([asked.metric] if asked.metric else []), *measured),
        asked.setting or tuple(name for name in rest if name not in measured),
        status,
        seconds,
    )


def _run_column(table: TextTable, asked: Columns, position: str) -> str:
    """Return the column that names runs. With one row a run, its names must all differ."""
    free = [name for name in table.columns if name not in (*asked.setting, *asked.seed, asked.metric)]
    named = names.first_named(names.RUNS, free)
    if position or not named or len(set(table.columns[named])) == table.rows:
        return named
    return ""


def _groups(table: TextTable, roles: Roles) -> dict[tuple[str, ...], list[int]]:
    """Return the rows of each run: by its name and seed, or by its settings and seed."""
    keys = [roles.run, *roles.seeds] if roles.run else [*roles.settings, *roles.seeds]
    groups: dict[tuple[str, ...], list[int]] = {}
    for row in range(table.rows):
        groups.setdefault(tuple(table.columns[key][row] for key in keys), []).append(row)
    return groups


def _constant_settings(
    table: TextTable, roles: Roles, groups: dict[tuple[str, ...], list[int]], asked: Columns
) -> Roles:
    """Tell settings, which stay the same within a run, from measurements, which do not."""
    for key, rows in groups.items():
        positions = [table.columns[roles.position][row].strip() for row in rows]
        if len(set(positions)) < len(positions) and not _scattered(table, roles, rows):
            twice = next(each for each in positions if positions.count(each) > 1)
            raise RequestError(
                f"{table.path}: several rows have {roles.position} {twice} of {', '.join(key) or 'one run'}; "
                f"name the column that tells runs apart with --run or --seed (columns: {some(table.columns)})"
            )
    if asked.setting:
        return roles
    constant: list[str] = []
    varying: list[str] = []
    for name in roles.settings:
        cells = table.columns[name]
        same = all(len({cells[row] for row in rows}) == 1 for rows in groups.values())
        same &= not any(other.endswith(f".{name}") for other in roles.settings)  # "lr" beside "optimizer.lr"
        (constant if same else varying).append(name)
    measured = tuple(name for name in varying if table.numeric(name))
    named = (roles.run,) if roles.run and _holds_seeds(table, roles) else ()
    return Roles(
        roles.run,
        roles.position,
        roles.seeds,
        (*roles.metrics, *measured),
        (*named, *constant),
        roles.status,
        roles.seconds,
    )


def _scattered(table: TextTable, roles: Roles, rows: Sequence[int]) -> bool:
    """Return whether rows of one epoch complete each other, as Lightning writes them, and never disagree."""
    for name in roles.metrics:
        seen = [table.columns[roles.position][row] for row in rows if table.columns[name][row].strip()]
        if len(set(seen)) < len(seen):
            return False
    return True


def _holds_seeds(table: TextTable, roles: Roles) -> bool:
    """Return whether one name of a run goes with several seeds: it names a setting then."""
    pairs = {
        (table.columns[roles.run][row], *(table.columns[seed][row] for seed in roles.seeds))
        for row in range(table.rows)
    }
    return len(pairs) > len({name for name, *_ in pairs})


def _check_settings(table: TextTable, roles: Roles, groups: dict[tuple[str, ...], list[int]]) -> None:
    """Refuse a column of numbers that all differ: it may be a setting or a measurement."""
    firsts = [rows[0] for rows in groups.values()]

    def repeats(name: str) -> bool:
        return len({table.columns[name][row] for row in firsts}) < len(firsts)

    unclear = [
        name
        for name in roles.settings
        if len(firsts) > 2 and not names.is_setting(name) and table.numeric(name) and not repeats(name)
    ]
    if unclear and not roles.metrics:
        raise RequestError(
            f"{table.path}: dlx knows none of the columns as a score; name it, for example "
            f"--metric {unclear[0]}:higher (columns: {some(table.columns)})"
        )
    if unclear:
        clear = [name for name in roles.settings if name not in unclear and repeats(name)]
        raise RequestError(
            f"{table.path}: {list_words(unclear[:MOST_NAMED])} "
            f"{'differs' if len(unclear) == 1 else 'differ'} in every run, so dlx cannot tell a setting from "
            f"a measurement; name the settings, for example --setting {','.join(clear) or unclear[0]}"
        )


def _run_names(table: TextTable, roles: Roles, groups: Sequence[Sequence[int]]) -> list[str]:
    """Name the runs by their column, or else by their settings and seeds; equal names get numbers."""
    keys = [*roles.settings, *roles.seeds]
    if roles.run:
        keys = [roles.run, *(roles.seeds if _holds_seeds(table, roles) else ())]
    named = [
        ", ".join(
            table.columns[key][rows[0]] if key == roles.run else f"{key}={table.columns[key][rows[0]]}"
            for key in keys
        )
        for rows in groups
    ]
    counts: dict[str, int] = {}
    unique = []
    for name in named:
        counts[name] = counts.get(name, 0) + 1
        unique.append(name if counts[name] == 1 and name else f"{name or 'run'} ({counts[name]})")
    return unique


def _run(table: TextTable, roles: Roles, rows: Sequence[int], name: str) -> ForeignRun:
    first = {column: cells[rows[0]] for column, cells in table.columns.items()}
    settings = {key: read_value(first[key]) for key in (*roles.settings, *roles.seeds)}
    if roles.position:
        counted_in = "epoch" if names.simple(roles.position) in ("epoch", "round") else "step"
        positions = [read_number(table.columns[roles.position][row]) for row in rows]
    else:
        counted_in, positions = "", [0.0]
    status = read_status(table.columns[roles.status][rows[-1]]) if roles.status else ""
    return ForeignRun(
        name,
        table.path,
        settings,
        {metric: series(table, metric, rows, positions) for metric in roles.metrics},
        counted_in,
        status,
        read_number(table.columns[roles.seconds][rows[-1]]) if roles.seconds else float("nan"),
        roles.seeds,
    )


def series(
    table: TextTable, name: str, rows: Sequence[int], positions: Sequence[float]
) -> dict[float, float]:
    """Return a column's values by position, without empty cells; of one position the last counts."""
    cells = table.columns[name]
    return {
        position: read_number(cells[row])
        for row, position in zip(rows, positions, strict=True)
        if cells[row].strip() and position == position
    }
