"""What a command says while it works."""

import sys

import pytest

from dlx.working import working


class Terminal:
    """Standard error as a terminal that keeps what is written."""

    def __init__(self):
        self.written, self.encoding = "", "utf-8"

    def write(self, text):
        self.written += text
        return len(text)

    def flush(self):
        """Nothing is held back."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    return Terminal()


def test_a_terminal_shows_what_is_done_and_keeps_nothing_of_it(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal)  # pytest has set its own since the fixture
    with working("reading the runs") as say:
        say("drawing plots with a name that is far too long for it")
    assert "drawing plots with a" in terminal.written
    assert "too long" not in terminal.written
    assert "\x1b[1A\x1b[2K" in terminal.written.rpartition("drawing")[2]  # the line is erased
    assert terminal.written.index("\x1b[?25l") < terminal.written.index("\x1b[?25h")  # the cursor is back


@pytest.mark.parametrize("change", ["dumb", "quiet", "pipe"])
def test_elsewhere_nothing_is_written(change, terminal, monkeypatch):
    if change == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if change == "pipe":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    monkeypatch.setattr(sys, "stderr", terminal)
    with working("reading the runs", show=change != "quiet") as say:
        say("drawing")
    assert terminal.written == ""
