"""Signals end a command with one line: during an import, where an exception is lost, and when all is done."""

import signal
import subprocess
import sys

import pytest

# `dlx report`, whose work is replaced by the line that each test gives.
COMMAND = """
import os, signal, sys, time
import dlx.commands.report

def send(times=1):
    for _ in range(times):
        signal.raise_signal(signal.Signals[{name!r}])

class Imported:
    def find_spec(self, *_):
        send()

def work(_):
{work}
    return 0

dlx.commands.report.main = work
from dlx.cli import main
sys.argv = ["dlx", "report"]
code = main()
{after}
sys.exit(code)
"""
WORK = {
    "at work": "send()",
    "in an import that takes any exception": """
    sys.meta_path.insert(0, Imported())
    try:
        import nowhere
    except BaseException:
        pass""",
    "in a finaliser": """
    class Dropped:
        def __del__(self):
            send()
    Dropped()
    time.sleep(30)""",
    "where it is lost": """
    try:
        send()
    except BaseException:
        pass
    time.sleep(30)""",
    "as another error": """
    try:
        send()
    except BaseException:
        raise ValueError("the import failed")""",
    "twice": """
    try:
        send()
    finally:
        send()
        time.sleep(30)""",
}
ENDS = {"SIGINT": (130, "interrupted"), "SIGTERM": (143, "terminated"), "SIGHUP": (143, "terminated")}


def run(name, work="send()", after=""):
    code = COMMAND.format(name=name, work=work if work[:1] == "\n" else f"    {work}", after=after)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("name", ENDS)
def test_a_signal_at_work_ends_the_command_with_one_line(name):
    done, (code, said) = run(name), ENDS[name]
    assert (done.returncode, done.stderr) == (code, f"dlx report: {said}\n")


@pytest.mark.parametrize("where", [where for where in WORK if where != "at work"])
def test_an_interrupt_ends_the_command_wherever_it_comes(where):
    done = run("SIGINT", WORK[where])
    assert (done.returncode, done.stderr) == (130, "dlx report: interrupted\n")


def test_a_signal_after_the_work_changes_neither_the_exit_code_nor_the_output():
    done = run("SIGINT", "print('the report')", "import atexit; atexit.register(send)\nsend()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the report\n", "")


def test_a_signal_that_is_ignored_from_the_start_stays_so():
    def as_nohup_does():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    code = COMMAND.format(name="SIGHUP", work="    send()", after="")
    done = subprocess.run([sys.executable, "-c", code], preexec_fn=as_nohup_does, check=False)
    assert done.returncode == 0
