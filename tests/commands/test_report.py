"""How `dlx report` reads its words."""

from pathlib import Path

import pytest

from dlx.cli import main
from dlx.report import watch, write
from dlx.report.analysis import Options


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """The calls of the report's functions, which do nothing; in a folder that holds the study `s`."""
    asked = []
    monkeypatch.chdir(tmp_path)
    Path("s").mkdir()
    monkeypatch.setattr(write, "write_report", lambda *given, **named: asked.append((given, named)))
    monkeypatch.setattr(watch, "watch_runs", lambda *given: asked.append(given) or 130)
    return asked


def test_words_become_options(calls):
    words = ["--by", "optimizer, lr", "s", "--baseline", "lr=0.1", "--metric", "val_loss", "--margin", "0.02"]
    assert main(["report", *words]) == 0
    [((folders, output, command), named)] = calls
    assert (folders, output) == ([Path("s")], Path("s/report"))
    assert command == "dlx report --by 'optimizer, lr' s --baseline lr=0.1 --metric val_loss --margin 0.02"
    assert named["options"] == Options(("optimizer", "lr"), (), "lr=0.1", "val_loss", 0.02)


def test_without_options_the_choice_is_left_to_the_report(calls):
    assert main(["report", "s", "--output", "there"]) == 0
    [((_, output, _), named)] = calls
    assert output == Path("there")
    assert named.pop("looks")
    assert named.pop("study").runs.empty
    assert named == {"options": Options(), "exports": (), "columns": (), "width": None, "details": False}


@pytest.mark.parametrize(
    ("words", "seconds"), [("--watch s", 10), ("s --watch", 10), ("--watch 2 s", 2), ("s --watch=0.5", 0.5)]
)
def test_watching_takes_seconds_or_a_folder_as_the_next_word(calls, words, seconds):
    assert main(["report", *words.split()]) == 130
    [(folders, _, page, every)] = calls
    assert (folders, page, every) == ([Path("s")], Path("s/report/index.html"), seconds)
