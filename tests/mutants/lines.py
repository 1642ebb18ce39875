"""Which tests run which line: found once for each test file, and kept in build/mutants/."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from tests.mutants.forks import REPOSITORY, in_fork
from tests.mutants.suite import Suite

KEPT = REPOSITORY / "build" / "mutants"
LIMIT_S = 1200.0  # for a whole test file
SLOW_S = 1.0  # a file's own tests come first, unless one takes longer: it would use up a mutant's time


class Lines:
    """`seconds`: what each test usually takes, of those that pass."""

    def __init__(self, suite: Suite, sources: Sequence[str], tests: Sequence[str]) -> None:
        self.seconds: dict[str, float] = {}
        self._runs: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for test in tests:
            found = _find(suite, sources, test)
            self.seconds |= found["seconds"]
            for file, lines in found["lines"].items():
                for line, contexts in lines.items():
                    self._runs[file][int(line)] |= set(contexts)

    def tests(self, file: str, line: int) -> list[str]:
        """Return the tests that run this line: quick ones of its own test file, then the fastest first.

        For a line that only an import or another process runs, those that run anything in its file.
        """
        contexts = self._runs[file][line] or set().union(*self._runs[file].values())
        named = {test for test in self.seconds if test in contexts or test.partition("::")[0] in contexts}
        own = f"/test_{PurePath(file).name}::"

        def order(test: str) -> tuple[bool, float, str]:
            return own not in test or self.seconds[test] > SLOW_S, self.seconds[test], test

        return sorted(named, key=order)


def _find(suite: Suite, sources: Sequence[str], test: str) -> dict[str, Any]:
    read = [(REPOSITORY / name).read_bytes() for name in (*sources, test)]
    kept = KEPT / f"{hashlib.sha256(b''.join(read)).hexdigest()[:20]}.json"
    if not kept.is_file():
        found = in_fork(lambda: suite.cover(test, sources), LIMIT_S) or {"seconds": {}, "lines": {}}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
    return dict(json.loads(kept.read_text()))
