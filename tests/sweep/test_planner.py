"""Plans: who trains with whom, side by side or not, within the memory that is free."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dlx.engine import stack_width
from dlx.sweep.planner import Planner
from dlx.sweep.trial import Sketch

MEMBER, DATA = 1000, 10_000  # bytes


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """A machine of known memory, on which 4 runs as one are best."""
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: 10**9)
    monkeypatch.setattr(stack_width, "bytes_per_member", lambda _: MEMBER)
    monkeypatch.setattr(stack_width, "bytes_of_data", lambda _: DATA)
    seconds = {1: 3.0, 2: 2.0, 4: 1.0, 8: 1.5, 16: 1.6}
    monkeypatch.setattr(
        stack_width,
        "seconds_by_width",
        lambda _run, most, _cache: {w: s for w, s in seconds.items() if w <= most},
    )


def job(number, *, engine="auto", width=None, threads=None):
    settings = SimpleNamespace(engine=SimpleNamespace(name=engine, width=width), threads=threads)
    return SimpleNamespace(folder=Path(f"study/run{number}"), settings=settings)


def sketch(key="a", steps=100_000, device="cpu"):
    return Sketch(key, SimpleNamespace(device=torch.device(device)), steps, 1e6)


def planned(jobs, sketches, processes=2, share=0.5, recorded=()):
    plan = Planner(processes, share).plan(jobs, sketches, recorded)
    return sorted(len(cohort.places) for cohort in plan.cohorts), plan


def test_the_width_is_what_was_measured_to_be_best():
    sizes, plan = planned([job(n) for n in range(16)], [sketch()] * 16)
    assert (sizes, plan.processes) == ([4, 4, 4, 4], 2)
    assert {cohort.threads for cohort in plan.cohorts} == {1}


def test_a_width_that_was_asked_for_is_not_measured():
    sizes, _ = planned([job(n, engine="stacked", width=8) for n in range(16)], [sketch()] * 16)
    assert sizes == [8, 8]


def test_little_to_do_is_neither_measured_nor_sent_to_processes():
    sizes, plan = planned([job(n) for n in range(16)], [sketch(steps=10)] * 16)
    assert (sizes, plan.processes, plan.cohorts[0].threads) == ([16], 1, None)


def test_no_cohort_takes_more_than_its_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: 2 * (DATA + 3 * MEMBER) / 0.5)
    jobs = [job(n, engine="stacked", width=16) for n in range(12)]
    assert planned(jobs, [sketch()] * 12)[0] == [3, 3, 3, 3]
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: 0)
    assert planned(jobs, [sketch()] * 12)[0] == [1] * 12


def test_finished_runs_are_left_out_and_a_lone_run_has_all_threads():
    sizes, plan = planned([job(n) for n in range(3)], [None, sketch(), None])
    assert (sizes, plan.cohorts[0].places, plan.cohorts[0].threads) == ([1], (1,), None)
    assert planned([job(0)], [None])[1].cohorts == []


def test_what_was_formed_once_is_formed_again_and_the_rest_anew():
    recorded = [(["run0", "run5", "run2", "elsewhere"], 2), (["run1"], None)]
    _, plan = planned([job(n) for n in range(8)], [None, *[sketch()] * 7], recorded=recorded)
    formed = {cohort.places: cohort.threads for cohort in plan.cohorts}
    assert formed == {(2, 5): 2, (1,): None, (3, 4): 1, (6, 7): 1}


def test_the_longest_comes_first():
    _, plan = planned(
        [job(n) for n in range(3)], [sketch(None, 10_000), sketch(None, 90_000), sketch(None, 50_000)]
    )
    assert [cohort.places for cohort in plan.cohorts] == [(1,), (2,), (0,)]


def test_threads_that_were_asked_for_leave_room_for_fewer_processes():
    jobs = [job(n, threads=2) for n in range(4)]
    assert planned(jobs, [sketch(None)] * 4, processes=4)[1].processes == 2
    assert planned(jobs, [sketch(None)] * 4, processes=1)[1].processes == 1


def test_a_gpu_is_one_cohorts_own():
    sizes, plan = planned([job(n) for n in range(8)], [sketch(device="meta")] * 8)
    assert (sizes, plan.processes, plan.cohorts[0].threads) == ([4, 4], 1, None)
