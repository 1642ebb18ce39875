"""The measured widths: kept, read again, and of no consequence for the run that was measured."""

import json

import torch

from dlx.engine import calibration
from dlx.engine.calibration import seconds_by_width


def test_each_width_is_measured_once_and_the_run_stays_as_it_is(make_run, tmp_path, monkeypatch):
    run = make_run()
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    measured = seconds_by_width(run, 4, tmp_path)
    assert list(measured) == [1, 2, 4]
    assert all(seconds > 0 for seconds in measured.values())
    assert all(torch.equal(value, before[key]) for key, value in run.model.state_dict().items())
    assert not run.optimizers[0].state
    monkeypatch.setattr(calibration, "_seconds_a_step", lambda _, width: 1.0 * width)
    assert seconds_by_width(run, 4, tmp_path) == measured
    assert seconds_by_width(run, 9, tmp_path) == measured | {8: 8.0}
    assert seconds_by_width(make_run(batch_size=5), 1, tmp_path) == {1: 1.0}, "another kind is measured anew"


def test_a_measurement_that_would_take_long_is_not_made(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "_seconds_a_step", lambda *_: calibration.SECONDS)
    assert list(seconds_by_width(make_run(), 64, tmp_path)) == [1]


def test_a_cache_that_cannot_be_read_is_replaced(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "_seconds_a_step", lambda *_: 0.5)
    seconds_by_width(make_run(), 1, tmp_path)
    (path,) = tmp_path.iterdir()
    for text in ("", "[1]", '{"x": 1}'):
        path.write_text(text)
        assert seconds_by_width(make_run(), 1, tmp_path) == {1: 0.5}
        assert json.loads(path.read_text()) == {"1": 0.5}


def test_where_nothing_can_be_kept_it_is_measured_all_the_same(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "_seconds_a_step", lambda *_: 0.5)
    (tmp_path / "taken").write_text("a file, no folder")
    assert seconds_by_width(make_run(), 1, tmp_path / "taken" / "calibration") == {1: 0.5}
