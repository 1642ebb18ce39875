"""Standard output without a reader, closed, full, or with only ASCII."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlx.streams import wrapped

CODE = """
import sys
import dlx.commands.report

def work(_):
    for number in range(20000):
        print("a line \\xb1")
    open({done!r}, "w").close()
    return 0

dlx.commands.report.main = work
from dlx.cli import main
sys.argv = ["dlx", "report"]
sys.exit(main())
"""


def shell(redirected: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `dlx report`, which prints 20,000 lines and leaves the file "done", with its output redirected."""
    (tmp_path / "code.py").write_text(CODE.format(done=str(tmp_path / "done")))
    command = f"set -o pipefail; {sys.executable} {tmp_path}/code.py {redirected}"
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=os.environ | environment, check=False
    )


@pytest.mark.parametrize("redirected", ["| head -1", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_command_whose_output_nobody_reads_does_its_work(redirected: str, tmp_path: Path) -> None:
    done = shell(redirected, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "done").read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_goes_to_a_full_disk_gives_exit_code_4_in_one_line(tmp_path: Path) -> None:
    done = shell("> /dev/full", tmp_path)
    said = "No space left on device: standard output. Make room, then give the same command again."
    assert (done.returncode, done.stderr) == (4, f"dlx report: error: storage failed: {said}\n")


def test_letters_that_the_terminal_lacks_become_question_marks(tmp_path: Path) -> None:
    done = shell("| tail -1", tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stdout) == (0, "a line ?\n")


def test_a_terminal_gets_lines_that_break_between_words_and_a_pipe_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    line = "dlx train: error: data.path=/a/path/that-is-longer-than-the-terminal/is-wide: is not there"
    terminal, pipe = io.StringIO(), io.StringIO()
    terminal.isatty = lambda: True
    assert wrapped(line, terminal).splitlines() == [
        "dlx train: error:",
        "data.path=/a/path/that-is-longer-than-the-terminal/is-wide:",
        "is not there",
    ]
    assert wrapped(line, pipe) == line
