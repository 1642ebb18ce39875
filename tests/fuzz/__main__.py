"""Fuzzes dlx with fresh seeds and prints its findings: `python -m tests.fuzz --minutes 10 [NAME ...]`."""

import argparse
import os
import random
import resource
import sys
import tempfile
from collections import Counter

from tests.fuzz.properties import PROPERTIES
from tests.fuzz.search import describe, offline, search_for, signature


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("properties", nargs="*", choices=[[], *PROPERTIES], default=[])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    given = parser.parse_args()
    noted: set[str] = set()

    def note(error: BaseException) -> None:
        """Print a finding as soon as it is there: the smallest example may take minutes."""
        if signature(error) not in noted:
            noted.add(signature(error))
            print(describe(error), file=sys.stderr, flush=True)

    examples: Counter[str] = Counter()
    findings = 0
    with tempfile.TemporaryDirectory() as folder, offline():
        os.chdir(folder)
        for name, count, found in search_for(
            given.minutes, given.seed, given.properties or list(PROPERTIES), note
        ):
            examples[name] += count
            print(f"{name}: {count}", file=sys.stderr, flush=True)
            if found is not None:
                findings += 1
                print(f"\n=== {name}: {signature(found)}")
                print(describe(found), flush=True)
        os.chdir("/")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"seed {given.seed}: {sum(examples.values())} examples {dict(examples)}, peak memory {peak:.2f} GB")
    print(f"{findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
