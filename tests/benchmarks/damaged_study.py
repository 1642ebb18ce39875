"""Acceptance: of 2,000 run folders 200 are damaged, in every way of tests/report/damage.py.

    python -m tests.benchmarks.damaged_study /tmp/damaged --runs 2000 --epochs 100

Reports the whole study, then the damaged one, then the study without the damaged runs. Prints the CPU time
and the memory of each, whether every damaged run is named, and whether the other rows are equal to the byte.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from dlx.run.paths import find_runs
from tests.benchmarks.synthetic_study import write_study
from tests.report.damage import DAMAGES

EVERY = 10  # of these runs one is damaged


def report(study: Path, output: Path) -> tuple[float, float]:
    """Report a study in a process of its own; return its CPU time in seconds and its memory in MB."""
    words = [sys.executable, "-m", "dlx", "report", str(study), "--output", str(output)]
    pid = os.posix_spawn(
        sys.executable, words, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, used = os.wait4(pid, 0)
    assert status == 0, f"dlx report ended with {status}"
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


def main() -> None:
    """Make the study, damage it, and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="must not exist")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    study = options.folder / "study"
    write_study(study, runs=options.runs, epochs=options.epochs, seeds=5)
    (study / "secret").write_text("secret\n")
    measured = {"whole": report(study, options.folder / "whole")}
    victims = find_runs(study)[::EVERY]
    ways = list(DAMAGES.values())
    for index, run in enumerate(victims):
        ways[index % len(ways)](run)
    measured["damaged"] = report(study, options.folder / "damaged")
    for run in victims:
        run.unlink() if run.is_symlink() else shutil.rmtree(run)
    measured["without"] = report(study, options.folder / "without")
    for name, (seconds, megabytes) in measured.items():
        print(f"{name}: {seconds:.1f} s of CPU time, {megabytes:.0f} MB")
    left_out = json.loads((options.folder / "damaged" / "report.json").read_text())["left_out"]
    named = {Path(name).name for name in left_out} == {run.name for run in victims}
    print(f"{len(left_out)} of {len(victims)} damaged runs are named: {named}")
    tables = [(options.folder / name / "table.csv").read_bytes() for name in ("damaged", "without")]
    print(f"other rows are equal to the byte: {tables[0] == tables[1]}")


if __name__ == "__main__":
    main()
