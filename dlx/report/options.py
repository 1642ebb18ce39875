"""What a report is asked to compare, and which setting a baseline names."""

import re
from dataclasses import dataclass

from dlx.errors import RequestError, nearest
from dlx.report.design import Design, find_key
from dlx.report.text import visible, write_value


@dataclass(frozen=True)
class Options:
    """Empty and None leave the choice to the report."""

    by: tuple[str, ...] = ()
    baseline: str = ""
    metric: str = ""
    margin: float | None = None


def find_setting(design: Design, asked: str) -> int:
    """Return the index of the setting that `asked` names: its label, or the values of enough of its keys.

    Keys may be as short as in the table. Raises RequestError if it names none, or several.
    """
    if asked in design.labels:
        return design.labels.index(asked)
    pairs = [part.partition("=") for part in re.split(r",\s*(?=[\w.]+=)", asked)]
    if any(not sign for _, sign, _ in pairs):
        raise _no_setting(design, asked)
    wanted = {
        find_key(key.strip(), design.keys, design.names, "--baseline"): value for key, _, value in pairs
    }
    found = [
        index
        for index, row in enumerate(design.rows)
        if all(_same(row[key], value) for key, value in wanted.items())
    ]
    if not found:
        raise _no_setting(design, asked)
    if len(found) > 1:
        some = "; ".join(design.labels[index] for index in found[:3])
        raise RequestError(
            f"--baseline: '{visible(asked)}' matches {len(found)} settings ({some}); name more keys"
        )
    return found[0]


def _no_setting(design: Design, asked: str) -> RequestError:
    some = "; ".join(design.labels[:3]) + (f" and {len(design.labels) - 3} more" if design.labels[3:] else "")
    return RequestError(
        f"--baseline: no setting is '{visible(asked)}'{nearest(asked, design.labels)} (there are: {some})"
    )


def _same(value: object, written: str) -> bool:
    """Return whether a setting's value is the one written: as shown in the table, or the same number."""
    if written.strip() in (write_value(value), str(value)) or (value is None and written.strip() == "null"):
        return True
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and float(written) == value
    except ValueError:
        return False
