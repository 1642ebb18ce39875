"""`python -m tests.benchmarks`: see command.py.

It imports nothing before it has to: the processes that train peers import this file as they start.
"""

import sys

if __name__ == "__main__":
    from tests.benchmarks.command import main

    sys.exit(main(sys.argv[1:]))
