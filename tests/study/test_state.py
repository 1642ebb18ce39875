"""Where every run of a study is, read from its files while others train it."""

import json
import os
import time
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.run.history import EpochRow, HistoryWriter
from dlx.run.identity import identity
from dlx.run.result import Result, write_result
from dlx.study.requests import StudyRun
from dlx.study.state import SILENT_SECONDS, last_study, run_states
from dlx.study.study import Cohort, Study


def asked(name):
    return StudyRun(name, f"label of {name}", [], {"name": name, "epochs": 10})


def ended(study, name, status, **more):
    (study.folder / name).mkdir(exist_ok=True)
    config = study.runs[name].config
    write_result(study.folder / name, Result(status=status, identity=identity(config), config=config, **more))


def trained(study, name, epochs, seconds=1.0):
    (study.folder / name).mkdir(exist_ok=True)
    writer = HistoryWriter(study.folder / name / "history.csv")
    for epoch in range(epochs + 1):
        writer.append(EpochRow(epoch, epoch, epoch * seconds, None, None, None, 1.0, 0.5))


@pytest.fixture
def study(tmp_path):
    study = Study(tmp_path / "outputs" / "study")
    with study.locked():
        study.add_request([], "0.1", [asked(name) for name in "abcdef"])
        study.add_cohorts([Cohort(("a", "b"), 1), *(Cohort((name,), None) for name in "cdef")])
    return study


def test_every_run_is_where_its_files_say(study):
    for name in "bc":
        trained(study, name, 4, seconds=2.0)
    ended(study, "d", "diverged")
    ended(study, "e", "failed", error="ValueError: no")
    (study.folder / "f").mkdir()
    (study.folder / "f" / "result.json").write_text("{")
    with study.claim(study.cohorts[0]):
        states = {state.name: state for state in run_states(Study(study.folder))}
    shown = {name: (state.state, state.epoch, state.epochs) for name, state in states.items()}
    assert shown == {
        "a": ("training", None, 10),
        "b": ("training", 4, 10),
        "c": ("interrupted", 4, 10),
        "d": ("diverged", None, 10),
        "e": ("failed", None, 10),
        "f": ("unreadable", None, 10),
    }
    assert states["b"].holder.pid == os.getpid()
    assert states["b"].seconds_left == 6 * 2.0
    assert states["e"].note == "ValueError: no"
    assert [state.state for state in run_states(study)][:2] == ["waiting", "interrupted"]


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "3", ""])
def test_a_note_with_a_date_that_not_every_time_zone_has_names_no_holder(study, since):
    """Found by fuzzing: in New York, the first day of the year 1 cannot be shown."""
    cohort = study.cohorts[0]
    with study.claim(cohort):
        note = study.folder / ".study" / "held" / f"{cohort.key}.json"
        assert study.holder(cohort) is not None
        note.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": since}))
        assert study.holder(cohort) is None


def test_a_run_is_stale_if_another_machine_holds_it_and_has_long_written_nothing(study):
    trained(study, "c", 4)
    cohort = next(cohort for cohort in study.cohorts if cohort.runs == ("c",))
    with study.claim(cohort):
        (note,) = (study.folder / ".study" / "held").glob("*.json")
        held = json.loads(note.read_text()) | {"host": "elsewhere", "since": "2020-01-01T00:00:00+00:00"}
        note.write_text(json.dumps(held))
        assert run_states(study)[2].state == "training"
        silent = time.time() - SILENT_SECONDS - 60
        os.utime(study.folder / "c" / "history.csv", (silent, silent))
        assert run_states(study)[2].state == "stale"


def test_runs_that_no_request_names_are_found_by_their_files(tmp_path):
    study = Study(tmp_path)
    trained(study, "old", 3)
    (tmp_path / "no run").mkdir()
    (state,) = run_states(study)
    assert (state.name, state.state, state.epoch, state.epochs) == ("old", "interrupted", 3, None)


def test_the_last_study_is_the_one_written_to_last_even_if_no_run_has_begun(study):
    outputs = study.folder.parent
    other = Study(outputs / "other")
    trained(study, "a", 1)
    with other.locked():
        other.add_request([], "0.1", [asked("x")])
    ago = time.time() + 5
    os.utime(other.folder / ".study", (ago, ago))
    assert last_study(outputs) == other.folder
    os.utime(study.folder / "a" / "history.csv", (ago + 5, ago + 5))
    assert last_study(outputs) == study.folder
    assert last_study(outputs / "nothing") is None


def test_status_prints_counts_first_and_a_row_for_each_run(study, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    trained(study, "c", 4)
    ended(study, "e", "failed", error="ValueError: no")
    assert main(["status", str(study.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("6 runs: 1 interrupted, 4 waiting, 1 failed")
    assert any(line.split() == ["label", "of", "c", "interrupted", "4/10"] for line in lines)
    assert any(line.split()[3:] == ["failed", "ValueError:", "no"] for line in lines)


def test_status_of_many_runs_shows_the_telling_ones_unless_all_are_asked_for(tmp_path, capsys):
    study = Study(tmp_path / "many")
    names = [f"run{index}" for index in range(100)]
    with study.locked():
        study.add_request([], "0.1", [asked(name) for name in names])
    ended(study, "run50", "diverged")
    assert main(["status", str(study.folder)]) == 0
    shown = capsys.readouterr().out
    assert "label of run50" in shown
    assert "label of run51" not in shown
    assert "99 runs are not shown" in shown
    assert main(["status", str(study.folder), "--all"]) == 0
    assert capsys.readouterr().out.count("label of run") == 100


def test_status_as_json_has_every_run(study, capsys, monkeypatch):
    monkeypatch.chdir(study.folder.parent.parent)
    with study.claim(study.cohorts[0]):
        assert main(["status", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["study"] == str(Path("outputs/study"))
    assert shown["counts"] == {"training": 2, "waiting": 4}
    assert shown["runs"][0]["holder"]["pid"] == os.getpid()
    assert [run["name"] for run in shown["runs"]] == list("abcdef")


def test_status_names_a_damaged_request(study, capsys):
    (study.folder / ".study" / "requests" / "0001.json").write_text("[]")
    assert main(["status", str(study.folder)]) == 2
    assert "0001.json: not what dlx has written" in capsys.readouterr().err


def test_status_where_there_is_no_study_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 2
    assert "there is no study under outputs/" in capsys.readouterr().err
    assert main(["status", str(tmp_path)]) == 2
    assert "holds no study" in capsys.readouterr().err
