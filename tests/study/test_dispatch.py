"""Which cohort is tried again, and when: with a launcher that says what it is told to."""

import signal
from collections import deque

import pytest

from dlx.run.identity import identity
from dlx.run.result import Result, write_result
from dlx.study import stopping
from dlx.study.launch import launch
from dlx.study.launch.launch import Dispatch
from dlx.study.launch.launcher import Attempt
from dlx.study.plan import Plan
from dlx.study.progress import Progress
from dlx.study.requests import StudyRun
from dlx.study.study import Cohort, Study


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch):
    monkeypatch.setattr(launch, "POLL", 0.0)
    monkeypatch.setattr(launch, "RETRY", 0.0)
    yield
    stopping.forget()


@pytest.fixture
def study(tmp_path):
    study = Study(tmp_path / "study")
    with study.locked():
        study.add_request([], "0.1", [StudyRun(name, name, [], {"name": name}) for name in "abc"])
        study.add_cohorts([Cohort((name,), 1) for name in "abc"])
    return study


def end(study, run):
    (study.folder / run).mkdir(exist_ok=True)
    config = study.runs[run].config
    write_result(study.folder / run, Result(status="completed", identity=identity(config), config=config))


class Scripted:
    """A launcher: each cohort comes back as its script says, by the name of its run; at last as "ended"."""

    def __init__(self, places, **scripts):
        self.places, self.stopped = places, False
        self.scripts = {run: deque(script) for run, script in scripts.items()}
        self.out, self.log = [], []

    def submit(self, task):
        self.out.append(task)
        self.log.append("+".join(sorted(run for _, cohort in self.out for run in cohort.runs)))
        assert len(self.out) <= self.places

    def returned(self, seconds):
        task = self.out.pop(0)
        script = self.scripts.get(task[1].runs[0])
        how = script.popleft() if script else "ended"
        if callable(how):
            how = how()
        if isinstance(how, Exception):
            return [Attempt(task, "failed", error=how)]
        return [Attempt(task, how, "killed by SIGKILL" if how == "lost" else "")]

    def stop(self):
        self.stopped = True

    def close(self):
        pass


def dispatched(study, launcher):
    """Run a dispatch; return what it told, by run, and what was printed."""
    told, shown = {}, []
    progress = Progress([])
    progress.print = shown.append
    plan = Plan([(study.folder, cohort) for cohort in study.cohorts], launcher.places)
    dispatch = Dispatch(plan, launcher, progress, lambda task, why: told.update({task[1].runs[0]: why}))
    return dispatch, told, shown


def test_every_cohort_is_handed_out_once_and_told_of(study):
    launcher = Scripted(2)
    dispatch, told, shown = dispatched(study, launcher)
    dispatch.run()
    assert (told, shown) == ({"a": "", "b": "", "c": ""}, [])
    assert launcher.log == ["a", "a+b", "b+c"]


def test_a_cohort_whose_process_died_is_tried_again_after_the_others(study):
    launcher = Scripted(1, a=["lost"])
    dispatch, told, shown = dispatched(study, launcher)
    dispatch.run()
    assert launcher.log == ["a", "b", "c", "a"]
    assert told == {"a": "", "b": "", "c": ""}
    assert shown == [f"a training process died (killed by SIGKILL): {study.folder / 'a'}; trying again"]


def test_after_two_deaths_a_cohort_trains_with_nothing_beside_it_and_after_three_it_is_given_up(study):
    launcher = Scripted(2, a=["lost"] * 3, b=["lost"])
    dispatch, told, shown = dispatched(study, launcher)
    dispatch.run()
    assert launcher.log == ["a", "a+b", "b+c", "a+c", "a+b", "a"]  # the last time alone
    assert told["b"] == told["c"] == ""
    assert told["a"].startswith("its process died 3 times (killed by SIGKILL), at last with nothing beside")
    assert shown[-1].endswith("trying again with nothing beside it")


def test_a_death_after_progress_does_not_count_towards_giving_up(study):
    def after_a_checkpoint():
        path = study.checkpoint(study.cohorts[0])
        path.parent.mkdir(exist_ok=True)
        written = path.with_name(f"{path.name}.0.pt")
        written.write_bytes(written.read_bytes() + b"x" if written.exists() else b"")
        written.touch()
        return "lost"

    launcher = Scripted(1, a=[after_a_checkpoint] * 5)
    dispatch, told, _ = dispatched(study, launcher)
    dispatch.run()
    assert told["a"] == ""


def test_a_cohort_that_another_process_holds_is_looked_at_until_its_holder_has_let_go(study):
    launcher = Scripted(1, a=["held"])
    dispatch, told, shown = dispatched(study, launcher)
    other = Study(study.folder).claim(study.cohorts[0])
    assert other.__enter__()
    looks = []
    is_held = Study.is_held

    def looked(self, cohort):
        looks.append(cohort)
        if len(looks) == 6:
            other.__exit__(None, None, None)
        return is_held(self, cohort)

    dispatch._studies[study.folder].is_held = looked.__get__(dispatch._studies[study.folder])
    dispatch.run()
    assert told == {"a": "", "b": "", "c": ""}
    assert launcher.log == ["a", "b", "c", "a"]
    assert len(looks) == 6
    assert shown == [f"another process is training {study.folder / 'a'}; waiting for it"]


def test_a_cohort_that_ends_elsewhere_is_not_handed_out_again(study):
    def held():
        end(study, "a")
        return "held"

    launcher = Scripted(1, a=[held])
    dispatch, told, _ = dispatched(study, launcher)
    dispatch.run()
    assert told == {"a": "", "b": "", "c": ""}
    assert launcher.log == ["a", "b", "c"]


def test_a_stop_waits_for_what_trains_hands_out_no_more_and_tells_of_what_has_ended(study):
    def interrupted():
        stopping.request_stop(signal.SIGTERM)
        return "ended"

    launcher = Scripted(2, a=[interrupted], b=["stopped"])
    dispatch, told, shown = dispatched(study, launcher)
    with pytest.raises(stopping.Interrupted) as error:
        dispatch.run()
    assert error.value.number == signal.SIGTERM
    assert launcher.stopped
    assert (told, shown, launcher.out) == ({"a": ""}, [], [])
    assert launcher.log == ["a", "a+b"]


def test_a_stop_in_the_last_cohort_is_a_stop(study):
    def stopped():
        stopping.request_stop(signal.SIGTERM)
        return "stopped"

    dispatch, told, _ = dispatched(study, Scripted(1, c=[stopped]))
    with pytest.raises(stopping.Interrupted):
        dispatch.run()
    assert told == {"a": "", "b": ""}


def test_an_error_that_came_back_is_raised_as_it_was(study):
    launcher = Scripted(2, a=[OSError(28, "No space left on device", "x/history.csv")])
    dispatch, told, _ = dispatched(study, launcher)
    with pytest.raises(OSError, match=r"x/history\.csv"):
        dispatch.run()
    dispatch.stop(1.0)
    assert launcher.stopped
    assert told == {"b": ""}  # it had been handed out
