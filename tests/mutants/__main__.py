"""Mutation testing: do the tests notice a wrong line? `python -m tests.mutants --area stats --sample 100`.

Changes one node of an area's code at a time (mutate.py), at random, and runs the tests that run its line. A
mutant that no test notices has survived: a test is missing, or the code is superfluous. Prints each
mutant's fate; --seed repeats a sample. An endless loop is killed by the time limit.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.mutants.areas import AREAS
from tests.mutants.forks import REPOSITORY, copy_repository, in_fork, prepare
from tests.mutants.lines import Lines
from tests.mutants.mutate import Mutant, find_mutants
from tests.mutants.suite import Suite, run_anew, with_suite
from tests.mutants.swap import functions_of, swap

EQUIVALENT = Path(__file__).with_name("equivalent.yaml")
LONG_S = 3600 * 24.0
STUCK_S = 300.0  # of a mutant whose tests wait for something


def main() -> int:
    """Draw a sample of an area's mutants, try each, and print what survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--area", choices=AREAS, required=True)
    parser.add_argument("--sample", type=int, default=60, help="mutants to try (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--file", default="", help="only mutants of files whose name contains this")
    parser.add_argument("--at-most", type=float, default=60.0, metavar="S", help="of tests per mutant")
    given = parser.parse_args()
    area = AREAS[given.area]
    sources, tests = _files(area.sources), _files(area.tests)
    mutants = [mutant for name in sources for mutant in find_mutants(name, _read(name))]
    possible = [mutant for mutant in mutants if given.file in mutant.file]
    chosen = sorted(random.Random(given.seed).sample(possible, min(given.sample, len(possible))))
    with tempfile.TemporaryDirectory() as created:
        folder, temporary = Path(created).resolve() / "copy", Path(created).resolve() / "tmp"
        folder.mkdir()
        temporary.mkdir()
        copy_repository(folder)
        prepare(folder, temporary)
        trials = Trials(chosen, sources, tests, folder, temporary, given.at_most)
        fates = trials.run()
    _summarise(f"{given.area}, seed {given.seed}", fates, len(possible))
    return 0


def _files(patterns: Sequence[str]) -> list[str]:
    found = [path for pattern in patterns for path in sorted(REPOSITORY.glob(pattern))]
    return [path.relative_to(REPOSITORY).as_posix() for path in found]


def _read(name: str) -> str:
    return (REPOSITORY / name).read_text()


class Trials:
    """Tries mutants in a copy of the repository. What an import runs is imported again for each mutant."""

    def __init__(
        self,
        mutants: Sequence[Mutant],
        sources: Sequence[str],
        tests: Sequence[str],
        folder: Path,
        temporary: Path,
        at_most_s: float,
    ) -> None:
        self._mutants, self._sources, self._tests = mutants, sources, tests
        self._folder, self._temporary, self._at_most_s = folder, temporary, at_most_s
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        self._fates: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        """Return how many were killed, survived or are equivalent."""
        collected = partial(with_suite, self._tests, self._temporary, self._try_in_place)
        tried = in_fork(collected, LONG_S)
        if tried is None:
            sys.exit("pytest could not collect the tests: run them by themselves to see why")
        fates, left = tried
        self._fates.update(fates)
        for index, tests in left:
            mutant = self._mutants[index]
            self._try(mutant, tests, partial(run_anew, tests, self._temporary), len(tests))
        return self._fates

    def _try_in_place(self, suite: Suite) -> Any:
        """Return the counts of fates, and the mutants that have to be imported, each with its tests."""
        lines = Lines(suite, self._sources, self._tests)
        functions = functions_of(str(self._folder))
        left = []
        for index, mutant in enumerate(self._mutants):
            if reason := _reason(mutant):
                self._print("equivalent", mutant, reason)
                continue
            all_tests = lines.tests(mutant.file, mutant.line)
            tests = self._affordable(all_tests, lines.seconds)
            work = partial(self._swap_and_run, suite, mutant, functions, tests, lines.seconds)
            if not self._try(mutant, tests, work, len(all_tests)):
                left.append([index, tests])
        return self._fates, left

    def _affordable(self, tests: list[str], seconds: dict[str, float]) -> list[str]:
        taken, total = [], 0.0
        for test in tests:
            total += seconds[test]
            if taken and total > self._at_most_s:
                break
            taken.append(test)
        return taken

    def _swap_and_run(
        self, suite: Suite, mutant: Mutant, functions: Any, tests: list[str], usual: Any
    ) -> Any:
        path = str(self._folder / mutant.file)
        swapped = swap(mutant, _read(mutant.file), path, functions)
        return suite.run_until_failure(tests, usual) if swapped else False

    def _try(self, mutant: Mutant, tests: list[str], work: Callable[[], Any], possible: int) -> bool:
        """Print a mutant's fate; False if it is not known, because the mutant has to be imported."""
        if not tests:
            self._print("survived", mutant, "no test runs this file")
            return True
        path, start = self._folder / mutant.file, time.monotonic()
        path.write_text(mutant.apply(_read(mutant.file)))  # for the processes that tests start
        try:
            failed = in_fork(work, STUCK_S)
        finally:
            path.write_text(_read(mutant.file))
        if failed is False:
            return False
        ran = f"{len(tests)} of {possible} tests"
        by = "time limit, or the process died" if failed is None else failed or ran
        fate = "survived" if failed == "" else "killed"
        self._print(fate, mutant, f"{by}, {time.monotonic() - start:.1f} s")
        return True

    def _print(self, fate: str, mutant: Mutant, by: str) -> None:
        self._fates[fate] += 1
        change = f"{' '.join(mutant.before.split())}  ->  {' '.join(mutant.after.split())}"
        self._out.write(f"{fate:<10} {mutant.file}:{mutant.line}  {change}  [{by}]\n")


def _reason(mutant: Mutant) -> str:
    """Return why this mutant does what the original does, if equivalent.yaml says so."""
    line = _read(mutant.file).splitlines()[mutant.line - 1].strip()
    this = {"file": mutant.file, "line": line, "before": mutant.before, "after": mutant.after}
    for entry in yaml.safe_load(EQUIVALENT.read_text()) or []:
        if {key: entry[key] for key in this} == this:
            return str(entry["reason"])
    return ""


def _summarise(name: str, fates: Counter[str], possible: int) -> None:
    tried, killed, equivalent = fates.total(), fates["killed"], fates["equivalent"]
    print(
        f"{name}: {tried} of {possible} mutants: {killed} killed, {fates['survived']} survived, "
        f"{equivalent} equivalent.\nKilled: {killed / max(1, tried):.0%} of all, "
        f"{killed / max(1, tried - equivalent):.0%} without the equivalent."
    )


if __name__ == "__main__":
    sys.exit(main())
