"""What `dlx report` is asked to compare: words of the command line -> keys, a setting, a metric, a margin."""

import argparse
import math
import re
from dataclasses import dataclass

from dlx.errors import RequestError, nearest, unknown
from dlx.report.design import Design, find_key
from dlx.report.text import visible, write_value


@dataclass(frozen=True)
class Options:
    """Empty and None leave the choice to the report."""

    by: tuple[str, ...] = ()
    baseline: str = ""
    metric: str = ""
    margin: float | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a comparison."""
    group = parser.add_argument_group("what is compared")
    group.add_argument(
        "--by",
        metavar="KEY,...",
        default="",
        help="group runs by these keys (default: all that vary but seeds)",
    )
    group.add_argument(
        "--baseline",
        metavar="SETTING",
        default="",
        help="compare every setting with this one, too: 'KEY=VALUE,...' or its label in the table",
    )
    group.add_argument(
        "--metric", default="", help="rank by val_accuracy, val_loss, train_accuracy or train_loss"
    )
    group.add_argument(
        "--margin",
        metavar="M",
        help="differences below M do not matter (default: 0.01 for accuracies, none for losses)",
    )


def chosen(given: argparse.Namespace) -> Options:
    """Return the options that were given. Raises RequestError for a metric or margin that is none."""
    from dlx.report.load import METRICS

    if given.metric and given.metric not in METRICS:
        raise unknown("--metric", visible(given.metric), METRICS)
    by = tuple(key.strip() for key in given.by.split(",") if key.strip())
    return Options(by, given.baseline, given.metric, None if given.margin is None else _margin(given.margin))


def find_setting(layout: Design, asked: str) -> int:
    """Return the place of the setting that `asked` means: its label, or values of enough keys to be the one.

    Keys may be as short as in the table. Raises RequestError for none, or several.
    """
    if asked in layout.labels:
        return layout.labels.index(asked)
    pairs = [part.partition("=") for part in re.split(r",\s*(?=[\w.]+=)", asked)]
    if any(not sign for _, sign, _ in pairs):
        raise _no_setting(layout, asked)
    wanted = {
        find_key(key.strip(), layout.keys, layout.names, "--baseline"): value for key, _, value in pairs
    }
    found = [
        place
        for place, row in enumerate(layout.rows)
        if all(_same(row[key], value) for key, value in wanted.items())
    ]
    if not found:
        raise _no_setting(layout, asked)
    if len(found) > 1:
        some = "; ".join(layout.labels[place] for place in found[:3])
        raise RequestError(
            f"--baseline: '{visible(asked)}' is {len(found)} settings ({some}); name more keys"
        )
    return found[0]


def _no_setting(layout: Design, asked: str) -> RequestError:
    some = "; ".join(layout.labels[:3]) + (f" and {len(layout.labels) - 3} more" if layout.labels[3:] else "")
    return RequestError(
        f"--baseline: no setting is '{visible(asked)}'{nearest(asked, layout.labels)} (there are: {some})"
    )


def _same(value: object, written: str) -> bool:
    """Say whether a setting's value is the one written: as shown in the table, or the same number."""
    if written.strip() in (write_value(value), str(value)) or (value is None and written.strip() == "null"):
        return True
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and float(written) == value
    except ValueError:
        return False


def _margin(written: str) -> float:
    try:
        margin = float(written)
    except ValueError:
        margin = math.nan
    if not 0 < margin < math.inf:
        raise RequestError(f"--margin: '{visible(written)}' is no number above 0")
    return margin
