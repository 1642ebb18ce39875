"""`python -m dlx` is `dlx`."""

import sys

from dlx.cli import main

if __name__ == "__main__":  # a process that trains a cohort imports this module under another name
    sys.exit(main())
