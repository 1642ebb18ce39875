"""The time by width is measured once and kept; the memory estimate counts what is allocated."""

import json

import torch

from dlx.engine import stack_width
from dlx.engine.model_summary import LayerSummary
from dlx.engine.stack_width import bytes_of_data, bytes_per_member, free_bytes, seconds_by_width


def test_each_width_is_measured_once_and_the_run_does_not_change(make_run, tmp_path, monkeypatch):
    run = make_run()
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    measured = seconds_by_width(run, 4, tmp_path)
    assert list(measured) == [1, 2, 4]
    assert all(seconds > 0 for seconds in measured.values())
    assert all(torch.equal(value, before[key]) for key, value in run.model.state_dict().items())
    assert not run.optimizers[0].state
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda _, width: 1.0 * width)
    assert seconds_by_width(run, 4, tmp_path) == measured
    assert seconds_by_width(run, 9, tmp_path) == measured | {8: 8.0}
    assert seconds_by_width(make_run(batch_size=5), 1, tmp_path) == {1: 1.0}, "a kind of its own"


def test_a_measurement_that_would_take_too_long_is_not_made(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda *_: stack_width.SECONDS)
    assert list(seconds_by_width(make_run(), 64, tmp_path)) == [1]


def test_what_is_loaded_first_does_not_use_up_the_measurements_time(make_run, tmp_path, monkeypatch):
    now = 0.0

    def seconds_a_step(run, width):
        nonlocal now
        now += 10.0 if width <= 2 else 0.1  # as if it loaded CUDA's kernels
        return 1e-3 / width

    monkeypatch.setattr(stack_width.time, "perf_counter", lambda: now)
    monkeypatch.setattr(stack_width, "_seconds_a_step", seconds_a_step)
    assert list(seconds_by_width(make_run(), 64, tmp_path)) == [1, 2, 4, 8, 16, 32, 64]


def test_a_cache_that_cannot_be_read_is_replaced(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda *_: 0.5)
    seconds_by_width(make_run(), 1, tmp_path)
    (path,) = tmp_path.iterdir()
    for text in ("", "[1]", '{"x": 1}'):
        path.write_text(text)
        assert seconds_by_width(make_run(), 1, tmp_path) == {1: 0.5}
        assert json.loads(path.read_text()) == {"1": 0.5}


def test_a_measurement_that_cannot_be_kept_is_still_returned(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(stack_width, "_seconds_a_step", lambda *_: 0.5)
    (tmp_path / "taken").write_text("a file, not a folder")
    assert seconds_by_width(make_run(), 1, tmp_path / "taken" / "calibration") == {1: 0.5}


def test_parameters_count_four_times_and_activations_three(make_run):
    layers = (LayerSummary("hidden", "Linear", (8,), 48), LayerSummary("odd", "Own", None, 0))
    run = make_run(layers=layers)
    parameters = (5 * 8 + 8) + (8 * 3 + 3)
    assert bytes_per_member(run) == 4 * (4 * parameters + 3 * 4 * (5 + 8))
    assert bytes_of_data(run) == 40 * (5 * 4 + 8)


def test_free_memory_is_positive_and_plausible():
    assert 0 < free_bytes(torch.device("cpu")) < 2**50
