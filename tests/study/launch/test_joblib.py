"""Cohorts through joblib: asked to stop by a file, and given back when a worker dies."""

import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from dlx.launchers import JoblibSettings
from dlx.study import stopping
from dlx.study.launch import joblib
from dlx.study.launch.launcher import Attempt
from dlx.study.plan import Plan
from dlx.study.study import Cohort

TASKS = [(Path("study"), Cohort((run,), 1)) for run in "abc"]


@pytest.fixture
def launcher():
    """A launcher whose workers are threads of this process; everything is handed out."""
    settings = JoblibSettings(name="joblib", memory=0.5, processes=2, parallel={"backend": "threading"})
    launcher = joblib.Joblib(Plan(TASKS, 2), settings)
    for task in TASKS:
        launcher.submit(task)
    yield launcher
    launcher.close()
    stopping.forget()


def returned(launcher):
    """What comes back within 30 seconds, until everything has."""
    attempts, end = [], time.monotonic() + 30
    while len(attempts) < len(TASKS) and time.monotonic() < end:
        attempts += launcher.returned(0.1)
    return sorted(attempts, key=lambda attempt: attempt.task[1].runs)


def test_each_cohort_comes_back_as_it_ended(launcher, monkeypatch):
    monkeypatch.setattr(
        joblib, "train_elsewhere", lambda _, cohort: "held" if cohort.runs == ("b",) else "ended"
    )
    assert [attempt.how for attempt in returned(launcher)] == ["ended", "held", "ended"]


def test_whatever_trains_stops_when_it_is_asked_to(launcher, monkeypatch):
    def train(folder, cohort):
        end = time.monotonic() + 20
        while not stopping.stop_requested() and time.monotonic() < end:
            time.sleep(0.01)
        return "stopped" if stopping.stop_requested() else "ended"

    monkeypatch.setattr(joblib, "train_elsewhere", train)
    assert launcher.returned(0.1) == []
    launcher.stop()
    assert [attempt.how for attempt in returned(launcher)] == ["stopped"] * 3


@pytest.mark.parametrize(
    ("error", "how"), [(BrokenProcessPool("a worker was killed"), "lost"), (OSError(28, "full"), "failed")]
)
def test_a_worker_that_dies_loses_cohorts_and_an_error_is_handed_on(launcher, monkeypatch, error, how):
    def train(folder, cohort):
        raise error

    monkeypatch.setattr(joblib, "train_elsewhere", train)
    given_back = None if how == "lost" else error
    assert returned(launcher) == [Attempt(task, how, error=given_back) for task in TASKS]
