"""A study on disk: extended by later requests, read while it trains, its cohorts held by one process each."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from dlx.run.identity import identity
from dlx.run.result import Result, write_result
from dlx.study.requests import StudyRun
from dlx.study.study import Cohort, Study


def asked(name, **config):
    return StudyRun(name, f"label of {name}", [f"name={name}"], {"name": name, "seed": 0, **config})


def ended(study, name, status="completed"):
    folder = study.folder / name
    folder.mkdir(exist_ok=True)
    config = study.runs[name].config
    write_result(folder, Result(status=status, identity=identity(config), config=config))


@pytest.fixture
def study(tmp_path):
    study = Study(tmp_path / "study")
    with study.locked():
        study.add_request(["seed=1,2"], "0.1", [asked("a"), asked("b")])
        study.add_cohorts([Cohort(("a", "b"), 1)])
    return study


def test_requests_are_kept_in_order_and_each_run_is_written_once(study):
    other = Study(study.folder)
    with other.locked():
        other.add_request(["seed=2,3"], "0.1", [asked("b"), asked("c")])
        other.add_request(["seed=1,2"], "0.1", [asked("a"), asked("b")])  # the first one again
    assert [request["words"] for request in study.requests] == [["seed=1,2"], ["seed=2,3"]]
    assert list(study.runs) == ["a", "b", "c"]
    assert study.runs["c"].config["name"] == "c"
    assert study.runs["b"].label == "label of b"
    second = json.loads((study.folder / ".study" / "requests" / "0002.json").read_text())
    assert second["runs"][0] == {"name": "b"}


def test_an_empty_folder_is_a_study_of_nothing(tmp_path):
    study = Study(tmp_path)
    assert (study.requests, study.runs, study.cohorts) == ([], {}, [])


def test_cohorts_are_extended_and_a_run_is_in_one_of_them(study):
    study.add_cohorts([Cohort(("c",), None)])
    assert study.cohorts == [Cohort(("a", "b"), 1), Cohort(("c",), None)]
    study.add_cohorts([Cohort(("b", "d"), 2)])
    assert study.cohorts == [Cohort(("a",), 1), Cohort(("c",), None), Cohort(("b", "d"), 2)]


def test_a_cohort_is_held_once_and_free_when_it_has_been_let_go(study):
    (cohort,) = study.cohorts
    with study.claim(cohort) as mine:
        assert mine
        assert study.is_held(cohort)
        with Study(study.folder).claim(cohort) as theirs:
            assert not theirs
        assert study.is_held(cohort)
    assert not study.is_held(cohort)
    with pytest.raises(KeyboardInterrupt), study.claim(cohort):
        raise KeyboardInterrupt
    with study.claim(cohort) as again:
        assert again


def test_a_cohort_that_a_later_request_has_split_is_not_held_any_more(study):
    (cohort,) = study.cohorts
    Study(study.folder).add_cohorts([Cohort(("a",), 1)])
    with study.claim(cohort) as mine:
        assert not mine
    assert study.cohorts_of(cohort.runs) == [Cohort(("b",), 1), Cohort(("a",), 1)]


def hold(folder, key, ready):
    study = Study(folder)
    cohort = next(cohort for cohort in study.cohorts if cohort.key == key)
    with study.claim(cohort):
        ready.set()
        signal.pause()


def test_a_cohort_whose_holder_was_killed_is_free(study):
    (cohort,) = study.cohorts
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(study.folder, cohort.key, ready))
    holder.start()
    assert ready.wait(60)
    assert study.holder(cohort).pid == holder.pid
    with study.claim(cohort) as mine:
        assert not mine
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(60)
    assert not study.is_held(cohort)
    with study.claim(cohort) as mine:
        assert mine


def test_a_result_that_stands_is_one_that_would_come_out_again(study):
    ended(study, "a", "diverged")
    ended(study, "b", "failed")
    assert study.result("a").status == "diverged"
    assert study.result("b") is None
    (study.folder / "b" / "result.json").write_text("{")
    with pytest.raises(ValueError, match="rerun=true trains the run again"):
        study.result("b")
    config = {"name": "a", "seed": 9}
    write_result(study.folder / "a", Result(status="completed", identity=identity(config), config=config))
    with pytest.raises(ValueError, match="belongs to another configuration"):
        study.result("a")


def test_paths_are_those_of_the_folder_wherever_it_is_moved(study, tmp_path):
    moved = study.folder.rename(tmp_path / "elsewhere")
    assert list(Study(moved).runs) == ["a", "b"]
    assert Study(Path(moved)).cohorts == [Cohort(("a", "b"), 1)]
