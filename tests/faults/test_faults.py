"""Commands whose files fail, or that are killed, at some of their changes; all: `python -m tests.faults`."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.full_disk import RUNS, SWEEP, small_disk, trial

ROOT = Path(__file__).parents[2]
QUICK = ["evaluate_again", "report_again", "train_stacked"]


def test_whatever_stops_a_command_its_files_are_as_before_or_as_in_the_end() -> None:
    """The processes are forked from one of a single thread, which a process of pytest is not."""
    command = [sys.executable, "-m", "tests.faults", *QUICK, "--sample", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" at 1 of ") == 5 * len(QUICK)


def test_a_disk_that_fills_up_ends_a_sweep_in_one_line_and_with_room_it_completes(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder)):
                pass
        except (PermissionError, FileNotFoundError):
            pytest.skip("this user may not mount a file system")
    assert trial(tmp_path, RUNS // 4, [SWEEP]) == []
