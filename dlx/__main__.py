"""`python -m dlx` is `dlx`."""

import sys

from dlx.cli import main

sys.exit(main())
