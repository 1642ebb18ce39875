"""Proves that a change to dlx changes no number: records what requests leave, before and after; compares.

It drives dlx as a user does and imports nothing of it, so one copy serves the code before and after a change.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.golden.compare import compare, summary
from tests.golden.record import record
from tests.golden.requests import REQUESTS
from tests.golden.shorten import is_short, shorten


def main(arguments: Sequence[str]) -> int:
    """Record or compare; return the exit code, 1 if a number differs."""
    given = _parser().parse_args(arguments)
    if given.verb == "record":
        record(given.out, given.code.resolve(), given.only or list(REQUESTS), given.jobs)
        return 0
    if given.verb == "shorten":
        shorten(given.record, given.out)
        return 0
    with TemporaryDirectory() as folder:
        if is_short(given.before) and not is_short(given.after):
            shorten(given.after, Path(folder))
            given.after = Path(folder)
        differences = compare(given.before, given.after)
    for difference in differences:
        if difference.is_number or not given.numbers:
            print(difference)
    print(summary(differences))
    return int(any(difference.is_number for difference in differences))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="run the requests and write down what they left")
    recording.add_argument("out", type=Path, help="a folder that does not exist yet")
    recording.add_argument(
        "--code", type=Path, default=Path(), help="the folder that holds dlx/ (default: this one)"
    )
    recording.add_argument("--jobs", type=int, default=2, help="requests side by side (default: 2)")
    recording.add_argument(
        "--only", nargs="+", choices=REQUESTS, metavar="REQUEST", help="only these requests"
    )
    shortening = verbs.add_parser("shorten", help="write the form of a record that is kept in the repository")
    shortening.add_argument("record", type=Path)
    shortening.add_argument("out", type=Path)
    comparing = verbs.add_parser("compare", help="list the differences between two records")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--numbers", action="store_true", help="list numbers only, and count words")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
