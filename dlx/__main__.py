"""`python -m dlx` is `dlx`."""

import sys

from dlx.cli import main

if __name__ == "__main__":  # a worker process imports this file under another name
    sys.exit(main())
