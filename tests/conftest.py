"""One thread of torch for each test process: pytest-xdist has a process on every core already."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; subprocesses inherit it
