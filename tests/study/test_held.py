"""Who holds a cohort: by its lock, or by the note of its holder where a file system has no locks."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from dlx.study import held
from dlx.study.held import Held

ECHO = [sys.executable, "-c", "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"]


@pytest.fixture
def cohorts(tmp_path, monkeypatch):
    """Return the cohorts of a study on a file system without locks."""
    monkeypatch.setattr(held, "is_held", lambda path: None)
    return Held(tmp_path)


def write_note(folder, **changes):
    note = {"pid": os.getpid(), "host": platform.node(), "since": "2026-01-02T03:04:05+00:00"} | changes
    (folder / "key.json").write_text(json.dumps(note))


def test_without_locks_a_cohort_is_held_while_the_process_of_its_note_lives(cohorts, tmp_path):
    assert not cohorts.is_held("key")
    with subprocess.Popen(ECHO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        write_note(tmp_path, pid=holder.pid)
        assert cohorts.is_held("key")
        holder.stdin.write("undisturbed\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "undisturbed\n"
    assert not cohorts.is_held("key")
    write_note(tmp_path, pid=holder.pid, host="elsewhere")  # nobody here can tell
    assert cohorts.is_held("key")
    write_note(tmp_path, pid=10**20)
    assert not cohorts.is_held("key")


def test_a_process_of_somebody_else_is_alive(cohorts, tmp_path, monkeypatch):
    def refuse(pid, number):
        raise PermissionError(number)

    write_note(tmp_path)
    monkeypatch.setattr(os, "kill", refuse)
    assert cohorts.is_held("key")


def test_a_note_says_who_has_held_the_cohort_since_when(tmp_path):
    cohorts = Held(tmp_path)
    before = datetime.now(UTC).replace(microsecond=0)
    with cohorts.note("key"):
        holder = cohorts.holder("key")
        assert (holder.pid, holder.host) == (os.getpid(), platform.node())
        assert before <= holder.since <= datetime.now(UTC)
        (tmp_path / "key.json").unlink()  # whoever tidies up may remove it
    assert cohorts.holder("key") is None


@pytest.mark.parametrize(
    "changes",
    [{"since": "1969-12-31T23:00:00+00:00"}, {"since": "9999-01-02T00:00:00+00:00"},
     {"since": "yesterday"}, {"since": 3}, {"pid": None}, {"pid": "me"}],
)  # fmt: skip
def test_a_damaged_note_names_nobody(tmp_path, changes):
    write_note(tmp_path, **changes)
    assert Held(tmp_path).holder("key") is None


@pytest.mark.parametrize("year", [1970, 9998])
def test_the_first_and_the_last_year_of_a_note_are_read(tmp_path, year):
    write_note(tmp_path, since=f"{year}-06-01T00:00:00+00:00")
    assert Held(tmp_path).holder("key").since.year == year


def test_tidying_removes_the_notes_of_the_dead_and_no_others(tmp_path):
    cohorts = Held(tmp_path)
    write_note(tmp_path)
    (tmp_path / "key.json").rename(tmp_path / "dead.json")
    with cohorts.lock("key") as mine, cohorts.note("key"):
        assert mine
        cohorts.tidy()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["key.json", "key.lock"]
    assert list(tmp_path.iterdir()) == []
