"""Plans: who trains with whom, side by side or not, within the memory that is free."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dlx.engine import stack_check, stack_width, stacked
from dlx.engine.stack_check import StackCheck
from dlx.study import estimate
from dlx.study import plan as plan_module
from dlx.study.plan import Planner, Sketch, Workers, divide
from dlx.study.study import Cohort

MEMBER, DATA = 1000, 10_000  # bytes


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """A machine of known memory, on which 4 runs as one are best."""
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: 10**9)
    monkeypatch.setattr(stack_width, "bytes_per_member", lambda _: MEMBER)
    monkeypatch.setattr(stack_width, "bytes_of_data", lambda _: DATA)
    monkeypatch.setattr(stacked, "is_of_layers", lambda _: True)
    monkeypatch.setattr(stack_check, "check_stack", lambda _: StackCheck(1e-16))
    seconds = {1: 3.0, 2: 2.0, 4: 1.0, 8: 1.5, 16: 1.6}
    monkeypatch.setattr(
        stack_width,
        "seconds_by_width",
        lambda _run, most, _cache: {w: s for w, s in seconds.items() if w <= most},
    )


STUDY = Path("study")


def run(number, *, engine="auto", width=None, threads=None):
    settings = SimpleNamespace(engine=SimpleNamespace(name=engine, width=width), threads=threads, epochs=0)
    return SimpleNamespace(folder=STUDY / f"run{number}", settings=settings)


def sketch(key=("a",), steps=100_000, device="cpu"):
    return Sketch(key, SimpleNamespace(device=torch.device(device)), steps, 1e6)


def planned(runs, sketches, processes=2, share=0.5, recorded=()):
    workers = processes if isinstance(processes, Workers) else Workers(processes)
    to_train = {index: each for index, each in enumerate(sketches) if each is not None}
    plan = Planner(workers, share).plan(runs, to_train, {STUDY: recorded})
    return sorted(len(cohort.runs) for _, cohort in plan.cohorts), plan


def members(plan):
    """The cohorts in their order, each by the numbers of its runs."""
    return [tuple(int(run.removeprefix("run")) for run in cohort.runs) for _, cohort in plan.cohorts]


def test_the_width_is_what_was_measured_to_be_best():
    sizes, plan = planned([run(n) for n in range(16)], [sketch()] * 16)
    assert (sizes, plan.processes) == ([4, 4, 4, 4], 2)
    assert {cohort.threads for _, cohort in plan.cohorts} == {1}


def test_a_width_that_was_asked_for_is_not_measured():
    sizes, _ = planned([run(n, engine="stacked", width=8) for n in range(16)], [sketch()] * 16)
    assert sizes == [8, 8]


def test_a_stack_that_differs_from_the_loop_trains_run_by_run_and_says_so(monkeypatch):
    monkeypatch.setattr(stack_check, "check_stack", lambda _: StackCheck(0.06, "it would differ by 0.06"))
    for steps in (10, 100_000):
        sizes, plan = planned([run(n) for n in range(3)], [sketch(steps=steps)] * 3)
        assert sizes == [1, 1, 1]
        assert plan.notices == ["3 runs train one by one: it would differ by 0.06"]


def test_stacks_of_vmap_are_told_in_one_line(monkeypatch):
    monkeypatch.setattr(stacked, "is_of_layers", lambda _: False)
    keys = [("a",)] * 8 + [("b",)] * 4
    sizes, plan = planned([run(n) for n in range(12)], [sketch(key) for key in keys])
    assert sizes == [2, 2, 4, 4]
    assert plan.notices == ["stacked through vmap: 12 runs, largest difference 1e-16"]


def test_a_short_request_is_not_stacked_through_vmap_unless_it_asks_for_that(monkeypatch):
    monkeypatch.setattr(stacked, "is_of_layers", lambda _: False)
    assert planned([run(n) for n in range(8)], [sketch(steps=10)] * 8)[0] == [1] * 8
    assert planned([run(n, engine="stacked") for n in range(8)], [sketch(steps=10)] * 8)[0] == [8]


def test_why_runs_cannot_be_stacked_is_told_where_a_stack_would_pay():
    alone = [replace(sketch(None, steps), alone_because="it holds a file") for steps in (10, 100_000)]
    assert planned([run(n) for n in range(3)], [alone[0]] * 3)[1].notices == []
    _, plan = planned([run(n) for n in range(3)], [alone[1]] * 3)
    assert plan.notices == ["3 runs train one by one: it holds a file"]


def test_little_to_do_is_neither_measured_nor_sent_to_processes():
    sizes, plan = planned([run(n) for n in range(16)], [sketch(steps=10)] * 16)
    assert (sizes, plan.processes, plan.cohorts[0][1].threads) == ([16], 1, None)


def test_no_cohort_takes_more_than_its_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: 2 * (DATA + 3 * MEMBER) / 0.5)
    runs = [run(n, engine="stacked", width=16) for n in range(12)]
    assert planned(runs, [sketch()] * 12)[0] == [3, 3, 3, 3]
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: 0)
    assert planned(runs, [sketch()] * 12)[0] == [1] * 12


def test_finished_runs_are_left_out_and_a_lone_run_has_all_threads():
    sizes, plan = planned([run(n) for n in range(3)], [None, sketch(), None])
    assert (sizes, members(plan), plan.cohorts[0][1].threads) == ([1], [(1,)], None)
    assert planned([run(0)], [None])[1].cohorts == []


def test_what_was_formed_once_is_formed_again_and_the_rest_anew():
    recorded = [Cohort(("run5", "run2"), 2), Cohort(("run1",), None)]
    _, plan = planned([run(n) for n in range(8)], [None, *[sketch()] * 7], recorded=recorded)
    formed = dict(zip(members(plan), (cohort.threads for _, cohort in plan.cohorts), strict=True))
    assert formed == {(5, 2): 2, (1,): None, (3, 4): 1, (6, 7): 1}


def test_of_an_earlier_cohort_only_what_was_asked_for_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded = [Cohort(("run0", "run1", "run2"), 2)]
    asked = [run(0), run(1)]
    assert members(planned(asked, [sketch()] * 2, recorded=recorded)[1]) == [(0, 1)]  # nobody asks for run2
    (STUDY / "run2").mkdir(parents=True)
    (STUDY / "run2" / "result.json").touch()
    assert members(planned(asked, [sketch()] * 2, recorded=recorded)[1]) == [(0, 1, 2)]  # which has ended


def test_the_longest_comes_first():
    _, plan = planned(
        [run(n) for n in range(3)], [sketch(None, 10_000), sketch(None, 90_000), sketch(None, 50_000)]
    )
    assert members(plan) == [(1,), (2,), (0,)]


def test_threads_that_were_asked_for_leave_room_for_fewer_processes():
    runs = [run(n, threads=2) for n in range(4)]
    assert planned(runs, [sketch(None)] * 4, processes=4)[1].processes == 2
    assert planned(runs, [sketch(None)] * 4, processes=1)[1].processes == 1


def test_a_gpu_is_one_cohorts_own():
    sizes, plan = planned([run(n) for n in range(8)], [sketch(device="meta")] * 8)
    assert (sizes, plan.processes, plan.cohorts[0][1].threads) == ([4, 4], 1, None)


def test_of_several_gpus_each_has_a_cohort_and_its_own_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: 2 * (DATA + 4 * MEMBER))
    runs = [run(n) for n in range(16)]
    sizes, plan = planned(runs, [sketch(device="cuda")] * 16, Workers(8, spread=True))
    assert (sizes, plan.processes, plan.spread) == ([4, 4, 4, 4], 4, True)
    _, plan = planned(runs, [sketch(device="cuda")] * 16, Workers(2, spread=True))
    assert (plan.processes, plan.spread) == (2, True)


@pytest.mark.parametrize(
    ("workers", "devices"),
    [
        (Workers(8, spread=True), ["cuda:1"]),
        (Workers(8, spread=True), ["cuda", "cuda:1"]),
        (Workers(8, spread=True), ["mps"]),
        (Workers(8), ["cuda"]),
    ],
    ids=["one that was named", "one of two that was named", "no CUDA", "a launcher that does not"],
)
def test_runs_are_not_spread_over_gpus(workers, devices, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    sketches = [sketch((device,), device=device) for device in devices] * 8
    _, plan = planned([run(n) for n in range(len(sketches))], sketches, workers)
    assert (plan.processes, plan.spread) == (1, False)


def test_equal_keys_go_together_and_none_stays_alone():
    widths = {"a": 10, "b": 10}
    assert divide(["a", None, "b", "a", None, "b", "a"], widths, 1) == [(0, 3, 6), (1,), (2, 5), (4,)]


def test_a_group_is_cut_into_parts_of_even_sizes():
    parts = divide(["a"] * 10, {"a": 4}, 1)
    assert [len(part) for part in parts] == [3, 3, 4]
    assert [index for part in parts for index in part] == list(range(10))


def test_a_width_of_one_leaves_every_run_alone():
    assert divide(["a", "a", "b"], {"a": 1, "b": 1}, 2) == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    ("runs", "width", "processes", "sizes"),
    [
        (16, 16, 2, [8, 8]),
        (6, 4, 2, [3, 3]),
        (5, 8, 2, [2, 3]),
        (2, 8, 4, [1, 1]),
        (20, 4, 3, [3] * 4 + [4] * 2),
    ],
)
def test_every_process_has_as_much_to_do(runs, width, processes, sizes):
    assert sorted(len(part) for part in divide(["a"] * runs, {"a": width}, processes)) == sizes


def test_a_clusters_workers_train_on_their_own_threads_in_their_own_memory():
    runs = [run(n, engine="stacked", width=16) for n in range(12)]
    room = (DATA + 3 * MEMBER) / 0.5
    sizes, plan = planned(runs, [sketch()] * 12, Workers(4, threads=2, memory=room))
    assert (sizes, plan.processes) == ([3] * 4, 4)
    assert {cohort.threads for _, cohort in plan.cohorts} == {2}
    assert planned(runs, [sketch()] * 12, Workers(1, threads=2, memory=room))[0] == [3] * 4
    _, alone = planned(runs[:1], [sketch(steps=10)], Workers(4, threads=2, memory=room))
    assert [cohort.threads for _, cohort in alone.cohorts] == [2]


def test_no_more_workers_are_asked_for_than_have_something_to_do():
    seconds = 12 * 100 * 1e6 * estimate.SECONDS_A_MULTIPLY_ADD + 12 * 100 * estimate.SECONDS_A_STEP
    for wanted in (2, 5):
        steps = int(100 * (wanted - 0.5) * plan_module.WORTH_A_PROCESS / seconds)
        _, plan = planned([run(n) for n in range(12)], [sketch(steps=steps)] * 12, Workers(100, 1, 1e9))
        assert plan.processes == wanted


@pytest.mark.parametrize(("gpus", "sizes"), [(1, [6, 6]), (0.5, [3, 3, 3, 3]), (0, [12])])
def test_a_clusters_gpus_are_planned_for_as_if_they_were_like_the_one_here(gpus, sizes, monkeypatch):
    monkeypatch.setattr(stack_width, "free_bytes", lambda _: (DATA + 6 * MEMBER + gpus % 1 * 2 * DATA) / 0.5)
    runs = [run(n, engine="stacked", width=16) for n in range(12)]
    workers = Workers(1, threads=1, memory=1e9, gpus=gpus)
    assert planned(runs, [sketch(device="cuda")] * 12, workers)[0] == sizes
