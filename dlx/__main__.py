"""`python -m dlx` is `dlx`."""

import sys

from dlx.cli import main

if (
    __name__ == "__main__"
):  # a worker process imports this module under another name, and must not start again
    sys.exit(main())
