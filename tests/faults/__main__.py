"""Every command with every fault at every change it makes: `python -m tests.faults [CASE ...] [--sample N]`.

The case "disk" is a small file system that fills up at ten moments of a sweep.

Prints a line for each case and fault, and what was wrong; ends with exit code 1 if anything was.
"""

import argparse
import importlib
import random
import sys
import tempfile
import warnings
from pathlib import Path

from tests.faults import full_disk
from tests.faults.cases import CASES, Case
from tests.faults.inject import Fault
from tests.faults.trial import prepare, problems

# What most of the commands need, imported once: each is run by a process that is forked from this one.
IMPORTED = (
    "torch",
    "dlx.build",
    "dlx.engine.trainer",
    "dlx.study.training",
    "dlx.scoring",
    "dlx.report.write",
)
DISK, MOMENTS = "disk", (0, 1, 3, 8, 15, 20, 25, 30, 38, 41)  # results; after 40 the report is disturbed
KINDS = ("kill", "ENOSPC", "EROFS", "EACCES", "EIO")


def main() -> int:
    """Try the cases that are named, or all; with --sample N at N changes of each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", choices=[[], *(case.name for case in CASES), DISK])
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for module in IMPORTED:
        importlib.import_module(module)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if not given.cases or case.name in given.cases:
                kinds = [given.kind] if given.kind else KINDS
                failed += _try(case, Path(folder).resolve() / case.name, kinds, given.sample)
    if not given.cases or DISK in given.cases:
        failed += sum(map(_fill_disk, MOMENTS))
    print("nothing was wrong" if not failed else f"{failed} trials went wrong")
    return bool(failed)


def _fill_disk(results: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        wrong = full_disk.trial(Path(folder), results)
    print(f"{DISK}: full after {results} results", *wrong, sep="\n  ", flush=True)
    return bool(wrong)


def _try(case: Case, folder: Path, kinds: list[str], sample: int) -> int:
    before, after, changes = prepare(case, folder)
    failed, draw = 0, random.Random(case.name)
    for kind in kinds:
        chosen = range(1, changes + 1)
        for at in sorted(draw.sample(chosen, min(sample, changes))) if sample else chosen:
            wrong, hit = problems(case, Fault(kind, at), before, after, folder / "room")
            failed += bool(wrong)
            for line in wrong:
                print(f"  {case.name}, {kind} at change {at} ({hit}): {line}", flush=True)
        print(f"{case.name}: {kind} at {min(sample or changes, changes)} of {changes} changes", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
