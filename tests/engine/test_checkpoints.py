"""When a cohort's checkpoint is written, when training is left, and which weights are kept unasked."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from dlx.engine import checkpoints
from dlx.engine.checkpoints import Checkpoints, is_kept_by_default

STOP = KeyboardInterrupt("stop")


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    now = SimpleNamespace(s=1000.0)
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now.s)
    return now


class File:
    """What a checkpoint would be written into; writing takes so many seconds."""

    def __init__(self, clock, seconds=0.0):
        self.written, self._clock, self._seconds = [], clock, seconds

    def write(self, content):
        self.written.append(content)
        self._clock.s += self._seconds


def recorders(epoch, count=1, weights=1):
    """Recorders whose last epoch is this one, of runs with so many weights in float32."""
    model = nn.Linear(weights, 1, bias=False, device="meta")
    return [
        SimpleNamespace(
            last_epoch=epoch,
            folder=Path(f"runs/{index}"),
            state=lambda index=index: {"of": index},
            run=SimpleNamespace(model=model),
        )
        for index in range(count)
    ]


def epochs_written(file):
    return [content["epoch"] for content in file.written]


@pytest.mark.parametrize(("every", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4]), (4, [4]), ("none", [])])
def test_every_so_many_epochs_a_checkpoint_is_written(clock, every, epochs):
    file = File(clock)
    kept = Checkpoints(file, every)
    for epoch in range(6):
        clock.s += 1000.0
        kept.epoch_end("loop", recorders(epoch))
    assert epochs_written(file) == epochs


def test_a_checkpoint_holds_the_states_of_the_runs_that_go_on(clock):
    file = File(clock)
    Checkpoints(file, 1, cohort=5).epoch_end("stacked", recorders(3, count=2))
    states = {"0": {"of": 0}, "1": {"of": 1}}
    assert file.written == [{"engine": "stacked", "cohort": 5, "epoch": 3, "runs": states}]


def test_without_a_file_none_is_written(clock):
    Checkpoints(None, 1).epoch_end("loop", recorders(1))
    assert Checkpoints(None).cohort == 1


def test_seconds_count_from_the_beginning_and_from_the_last_checkpoint(clock):
    file = File(clock, seconds=4.0)
    kept = Checkpoints(file, "30s")
    for epoch, after in enumerate([0.0, 29.5, 0.5, 29.5, 0.5], start=1):
        clock.s += after
        kept.epoch_end("loop", recorders(epoch))
    assert epochs_written(file) == [3, 5]


@pytest.mark.parametrize(
    ("count", "weights", "seconds"),
    [
        (1, 1, 2.0),  # the least
        (1, 600_000, (2.4e6 * 3 / 60e6 + 0.003) / 0.02),  # 6.15 s, of which 0.123 s are 2%
        (2, 600_000, 2 * (2.4e6 * 3 / 60e6 + 0.003) / 0.02),
        (20, 1, 20 * 0.003 / 0.02),
    ],
)
def test_the_first_automatic_checkpoint_is_due_when_it_costs_two_percent(clock, count, weights, seconds):
    file = File(clock)
    kept = Checkpoints(file)
    for epoch, after in enumerate([seconds - 0.01, 0.02], start=1):
        clock.s += after
        kept.epoch_end("loop", recorders(epoch, count, weights))
    assert epochs_written(file) == [2]


def test_automatic_checkpoints_follow_what_the_last_one_cost(clock):
    file = File(clock, seconds=0.5)
    kept = Checkpoints(file)
    for epoch, after in enumerate([2.0, 24.9, 0.2, 24.9, 0.2], start=1):
        clock.s += after
        kept.epoch_end("loop", recorders(epoch))
    assert epochs_written(file) == [1, 3, 5]


def test_two_automatic_checkpoints_are_two_seconds_apart(clock):
    file = File(clock)
    kept = Checkpoints(file)
    for epoch, after in enumerate([2.0, 1.5, 0.5], start=1):
        clock.s += after
        kept.epoch_end("loop", recorders(epoch))
    assert epochs_written(file) == [1, 3]


def test_before_the_first_epoch_there_is_nothing_to_keep(clock):
    for every in ("auto", "1s", 1):
        file = File(clock)
        kept = Checkpoints(file, every)
        clock.s += 1000.0
        kept.epoch_end("loop", recorders(0))
        assert file.written == []


@pytest.mark.parametrize("every", ["auto", "none", 100])
def test_who_is_asked_to_stop_leaves_after_the_epoch_with_a_checkpoint(clock, every):
    file, asked = File(clock), []
    kept = Checkpoints(file, every, stop=lambda: asked[0] if asked else None)
    kept.epoch_end("loop", recorders(1))
    assert file.written == []
    asked.append(STOP)
    with pytest.raises(KeyboardInterrupt):
        kept.epoch_end("loop", recorders(2))
    assert epochs_written(file) == [2]


def test_a_short_epoch_is_finished_and_a_long_one_is_left_at_once(clock):
    asked = []
    kept = Checkpoints(None, stop=lambda: asked[0] if asked else None)
    clock.s += 100.0
    kept.before_step()  # nobody has asked
    kept.epoch_end("loop", recorders(0))
    clock.s += 1.0
    kept.epoch_end("loop", recorders(1))
    asked.append(STOP)
    clock.s += 2.5
    kept.before_step()
    clock.s += 1.0
    with pytest.raises(KeyboardInterrupt):
        kept.before_step()


def test_where_epochs_are_long_the_next_step_is_not_taken(clock):
    asked = []
    kept = Checkpoints(None, stop=lambda: asked[0] if asked else None)
    clock.s += 10.0
    kept.epoch_end("loop", recorders(1))
    asked.append(STOP)
    with pytest.raises(KeyboardInterrupt):
        kept.before_step()


def test_the_time_of_a_checkpoint_is_not_the_next_epochs(clock):
    asked = []
    kept = Checkpoints(File(clock, seconds=60.0), 1, stop=lambda: asked[0] if asked else None)
    clock.s += 1.0
    kept.epoch_end("loop", recorders(1))
    asked.append(STOP)
    clock.s += 2.0
    kept.before_step()


def run_of(weights, **group):
    model = nn.Linear(weights, 1, bias=False, device="meta")
    optimizer = SimpleNamespace(param_groups=[{"params": [], **group}])
    return SimpleNamespace(model=model, optimizers=[optimizer])


def test_weights_are_kept_unasked_up_to_32_megabytes_with_adams_two_copies():
    assert is_kept_by_default(run_of(2_666_666))
    assert not is_kept_by_default(run_of(2_666_667))


def test_two_vectors_of_each_remembered_step_count_too():
    assert is_kept_by_default(run_of(1_600_000, history_size=1))  # 5 copies of 6.4 MB
    assert not is_kept_by_default(run_of(1_600_001, history_size=1))
    assert is_kept_by_default(run_of(320_000, history_size=11))  # 25 copies
    assert not is_kept_by_default(run_of(320_001, history_size=11))


def test_buffers_are_kept_with_the_weights():
    run = run_of(2_000_000)
    run.model.register_buffer("statistics", torch.empty(666_666, device="meta"))
    assert is_kept_by_default(run)
    run.model.register_buffer("more", torch.empty(1, device="meta"))
    assert not is_kept_by_default(run)


def test_a_run_without_optimizers_is_kept_by_its_weights():
    run = run_of(2_666_666)
    run.optimizers = []
    assert is_kept_by_default(run)
