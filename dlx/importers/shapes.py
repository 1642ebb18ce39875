"""Brings a table into one shape: a column for each score, a row for each run or epoch."""

import re

from dlx.errors import RequestError
from dlx.importers import names
from dlx.importers.foreign_run import Columns
from dlx.importers.table import TextTable

NAMES = ("metric", "variable", "measure", "tag", "key")  # of the column that names a score in a long table
# "seed0" holds what --metric names; "split0_test_score", as scikit-learn's searches write it, says it itself
SEED_COLUMN = re.compile(
    r"(?:seed|rep|repeat|run|fold|split)[\s_=-]?(\d{1,6})(?:[\s_.-](.+))?", re.IGNORECASE
)


def to_columns(table: TextTable, asked: Columns) -> TextTable:
    """Turn a table with a row for each score, or a column for each seed, into one with a column a score.

    Raises RequestError for a column for each seed without the name of the score.
    """
    variable, value = names.first_named(NAMES, table.columns), names.first_named(("value",), table.columns)
    if variable and value and not table.numeric(variable):
        return _spread(table, variable, value)
    found = {name: match for name in table.columns if (match := SEED_COLUMN.fullmatch(name.strip()))}
    if len(found) < 2 or not all(table.numeric(name) for name in found):
        return table
    scores = {match[2] or "" for match in found.values()}
    metric = scores.pop() if len(scores) == 1 else ""
    if not (metric := metric or asked.metric):
        raise RequestError(
            f"{table.path}: the columns {', '.join(found)} hold a score for each seed; "
            "say which score it is, for example --metric accuracy"
        )
    return _stack(table, {name: match[1] for name, match in found.items()}, metric)


def _spread(table: TextTable, variable: str, value: str) -> TextTable:
    """Turn one row for each score into one row for all: the other columns say which rows belong together."""
    others = [name for name in table.columns if name not in (variable, value)]
    scores = list(dict.fromkeys(table.columns[variable]))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for row in range(table.rows):
        key = tuple(table.columns[name][row] for name in others)
        score = table.columns[variable][row]
        if score in rows.setdefault(key, {}):
            raise RequestError(f"{table.path}: two rows give {score} for {', '.join(key)}")
        rows[key][score] = table.columns[value][row]
    if clash := set(scores) & set(others):
        raise RequestError(f"{table.path}: '{min(clash)}' is a column and a name in the column '{variable}'")
    columns = {name: [key[index] for key in rows] for index, name in enumerate(others)}
    return TextTable(
        table.path, columns | {score: [cells.get(score, "") for cells in rows.values()] for score in scores}
    )


def _stack(table: TextTable, of_seed: dict[str, str], metric: str) -> TextTable:
    """Turn a column for each seed into a row for each seed."""
    others = [
        name for name in table.columns if name not in of_seed and not name.endswith(f"_{metric}")
    ]  # not the means of these columns
    columns: dict[str, list[str]] = {name: [] for name in (*others, "seed", metric)}
    for row in range(table.rows):
        for name, seed in of_seed.items():
            if not table.columns[name][row].strip():
                continue
            for other in others:
                columns[other].append(table.columns[other][row])
            columns["seed"].append(seed)
            columns[metric].append(table.columns[name][row])
    return TextTable(table.path, columns)
