"""How the seconds of a step are measured at each width, and what their key in the cache depends on."""

import itertools
from dataclasses import replace

import pytest
import torch

from dlx.augment.transforms import build_augment
from dlx.engine import stack_width
from dlx.engine.probes import Probes, StepProbe
from dlx.engine.stack_width import SECONDS, _cache_key, _measure, _seconds_a_step, seconds_by_width
from dlx.execution import Execution
from dlx.optimizer.optimizers import optimizers


@pytest.fixture
def trained(monkeypatch):
    """Let epochs end after 10, 14 and 17 seconds; return what was trained, and how."""
    seen = []

    class Clock:
        def __init__(self, device):
            self._times = iter([0.0, 10.0, 14.0, 17.0])

        def seconds(self):
            return next(self._times)

    def loop(run):
        seen.append(("loop", [run], None))
        return range(4)

    def stack(runs, active):
        seen.append(("stacked", runs, active))
        return range(4)

    monkeypatch.setattr(stack_width, "Timer", Clock)
    monkeypatch.setattr(stack_width.loop, "train", loop)
    monkeypatch.setattr(stack_width.stacked, "train", stack)
    return seen


@pytest.mark.parametrize(
    ("batch_size", "samples", "steps"), [(2, 16, 8), (3, 22, 8), (4, 22, 6), (30, 22, 1), (1, 8, 8)]
)
@pytest.mark.parametrize("width", [1, 2])
def test_the_faster_of_two_epochs_counts_for_each_step_of_each_run(
    make_run, trained, batch_size, samples, steps, width
):
    run = make_run(
        batch_size=batch_size,
        drop_last=True,
        probes=Probes(steps=StepProbe()),
        execution=Execution(compile=True),
    )
    assert _seconds_a_step(run, width) == pytest.approx(3.0 / steps / width)
    ((engine, runs, active),) = trained
    assert (engine, active) == (("loop", None) if width == 1 else ("stacked", {0, 1}))
    assert len(runs) == width
    for each in runs:
        assert torch.equal(each.data.train.inputs, run.data.train.inputs[:samples])
        assert torch.equal(each.data.train.labels, run.data.train.labels[:samples])
        assert len(each.data.val) == 1
        assert (each.epochs, each.drop_last, each.execution.compile) == (3, False, False)
        assert each.probes == Probes()
        assert each.batch_size == batch_size
        assert each.model is not run.model
        steps_of = each.optimizers[0].param_groups[0]["params"]
        assert [id(p) for p in steps_of] == [id(p) for p in each.model.parameters()]
    assert len({id(each.model) for each in runs}) == width


def test_the_key_holds_what_a_step_takes_longer_for_and_nothing_else(make_run):
    run = make_run()
    sgd = optimizers.build(
        "sgd",
        {"lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
        parameters=list(run.model.parameters()),
    )
    others = [
        replace(run, optimizers=sgd),
        make_run(augment=build_augment({"noise": 0.5}, (5,))),
        make_run(execution=Execution("bfloat16")),
        make_run(batch_size=5),
        make_run(model_arguments={"sizes": [9]}),
    ]
    assert len({_cache_key(each) for each in (run, *others)}) == 1 + len(others)
    noisier = make_run(augment=build_augment({"noise": 0.1}, (5,)))
    assert _cache_key(noisier) == _cache_key(others[1])
    for same in (make_run(lr=0.5), make_run(init_seed=4), make_run(shuffle=False)):
        assert _cache_key(same) == _cache_key(run)
    assert len(_cache_key(run)) == 32


def test_the_key_holds_the_number_of_threads(make_run):
    run, threads = make_run(), torch.get_num_threads()
    before = _cache_key(run)
    torch.set_num_threads(threads + 1)
    after = _cache_key(run)
    torch.set_num_threads(threads)
    assert after != before


@pytest.mark.parametrize(
    ("seconds", "known", "measured"),
    [
        (0.0, {}, [1, 2, 4, 8]),
        (1.5 / (8 * 3 * 4) * 0.99, {}, [1, 2, 4]),  # a width of 4 takes nearly all of 1.5 seconds
        (1.5 / (8 * 3 * 4) * 1.01, {}, [1, 2]),
        (1.5 / (8 * 3 * 4) * 1.01, {16: 0.0}, [1, 2, 4, 8]),  # the fastest that is known counts
        (1e6, {}, [1]),
    ],
)
def test_a_width_that_would_take_longer_than_a_measurement_may_is_left_out(
    monkeypatch, make_run, seconds, known, measured
):
    monkeypatch.setattr(stack_width.time, "perf_counter", lambda: 5.0)
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda run, width: seconds)
    assert list(_measure(make_run(), (1, 2, 4, 8), known)) == measured


def test_time_that_has_passed_counts_after_the_first_two(monkeypatch, make_run):
    clock = itertools.count(0.0, SECONDS * 0.3)
    monkeypatch.setattr(stack_width.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda run, width: 0.0)
    assert list(_measure(make_run(), (1, 2, 4, 8, 16, 32, 64), {})) == [1, 2, 4, 8, 16]


def test_a_folder_for_the_times_is_made_and_widths_end_at_the_most(monkeypatch, make_run, tmp_path):
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda run, width: 0.001)
    cache = tmp_path / "a" / "b"
    assert list(seconds_by_width(make_run(), 7, cache)) == [1, 2, 4]
    assert list(seconds_by_width(make_run(), 8, cache)) == [1, 2, 4, 8]
    assert len(list(cache.iterdir())) == 1
    assert list(seconds_by_width(make_run(), 1, cache)) == [1]


def test_the_free_memory_of_a_gpu_is_what_torch_says(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (123, 456))
    assert stack_width.free_bytes(torch.device("cuda")) == 123


def test_widths_double_up_to_128(monkeypatch, make_run, tmp_path):
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda run, width: 0.0)
    assert list(seconds_by_width(make_run(), 1000, tmp_path)) == [1, 2, 4, 8, 16, 32, 64, 128]
    assert list(seconds_by_width(make_run(), 127, tmp_path)) == [1, 2, 4, 8, 16, 32, 64]
