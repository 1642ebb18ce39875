"""One thread of torch for each test process, because pytest-xdist has one on every core; and what is slow."""

import os
import signal
from pathlib import Path

import pytest

# A shell's background job ignores Ctrl-C, nohup a closed terminal, and so would all that is tested with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; subprocesses inherit it
# A test's files need not outlive a power cut. With it, tests of the report waited 13 s for 45 s of work.
os.fsync = lambda _: None

# Whole commands, browsers, drawn plots and simulations: `make quick` leaves them out, `make test` does not.
SLOW = (
    "benchmarks",
    "commands/test_check.py",
    "commands/test_foreign_folders.py",
    "commands/test_reproduce.py",
    "data/test_image_arrays.py",
    "data/test_image_cache.py",
    "faults",
    "fuzz",
    "report/browser",
    "report/diagnosis/test_simulated.py",
    "report/plots",
    "report/test_broken.py",
    "report/test_comparison.py",
    "report/test_damage.py",
    "report/test_figures.py",
    "report/test_hostile.py",
    "report/test_tensorboard.py",
    "report/test_watch.py",
    "report/test_write.py",
    "reproduce/test_claim.py",
    "stats/test_power.py",
    "study/test_changes.py",
    "study/test_launch.py",
    "study/test_training.py",
    "surface/test_descent.py",
    "surface/test_plot.py",
    "test_conf.py",
    "test_config.py",
    "test_probes.py",
    "test_stacked.py",
    "test_tasks.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the files and folders above as slow."""
    here = Path(__file__).parent
    for item in items:
        where = item.path.relative_to(here).as_posix()
        if where.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
