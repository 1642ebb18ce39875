"""`dlx` alone, in a folder at each stage of the work."""

import os
import shlex

import pytest

from dlx.cli import main
from dlx.run.result import Result, write_result
from dlx.study.requests import StudyRun
from dlx.study.study import Study

WORDS = ["model=mlp", "seed=0,1", "loss.function=x**2 + y"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def study(tmp_path):
    """A study of two runs, of which none has begun."""
    made = Study(tmp_path / "outputs" / "my study")
    made.folder.mkdir(parents=True)
    with made.locked():
        made.add_request(WORDS, "0.1.0", [StudyRun(name, f"seed={name}", [], {"seed": 0}) for name in "01"])
    return made


def said(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    return printed


def end(study, name, status="completed"):
    (study.folder / name).mkdir()
    write_result(study.folder / name, Result(status=status, identity="0" * 64, config={}))


def test_an_empty_folder_gets_commands_to_begin_with(capsys):
    commands = [line[2:].split("   ")[0] for line in said(capsys).splitlines() if line.startswith("  dlx")]
    assert [command.split()[1] for command in commands] == ["train", "train", "init"]
    for command in commands[:2]:
        assert main([*command.split()[1:], "--cfg", "job"]) == 0


def test_a_study_that_is_not_finished_gets_the_command_that_goes_on(study, capsys):
    end(study, "0")
    printed = said(capsys)
    assert "2 runs, 1 completed, 1 waiting.\nTo go on where it stopped:" in printed
    assert f"\n  {shlex.join(['dlx', 'train', *WORDS])}\n" in printed


def test_a_finished_study_gets_its_report_and_then_what_follows(study, capsys):
    end(study, "0")
    end(study, "1")
    assert "2 runs, all completed.\nTo compare its runs:\n  dlx report 'outputs/my study'\n" in said(capsys)
    page = study.folder / "report" / "index.html"
    page.parent.mkdir()
    page.touch()
    os.utime(page, (2e9, 2e9))
    assert "Its report is\n  outputs/my study/report/index.html\n" in said(capsys)


def test_a_study_whose_runs_all_failed_is_looked_at(study, capsys):
    end(study, "0", "failed")
    end(study, "1", "diverged")
    assert "To see why:\n  dlx status 'outputs/my study'\n" in said(capsys)


def test_a_study_without_a_run_is_named(tmp_path, capsys):
    (tmp_path / "outputs" / "empty" / ".study").mkdir(parents=True)
    assert "outputs/empty: no run yet" in said(capsys)
