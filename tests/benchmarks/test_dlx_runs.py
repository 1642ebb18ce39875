"""dlx called from outside: what counts as done, what a failure says, what surrounds a command."""

import pytest

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command

TINY = ("data=digits", "data.train_size=64", "data.val_size=32", "model.width=4", "epochs=2", "threads=1")


@pytest.mark.slow
def test_commands_are_timed_from_their_first_run_to_their_last_epoch():
    wall = dlx_runs.train(Command((*TINY, "seed=0,1"), 2))
    assert 0 < wall.training < wall.whole
    assert wall.start_up == pytest.approx(wall.whole - wall.training)


@pytest.mark.slow
def test_a_command_that_trains_other_than_its_runs_has_failed():
    with pytest.raises(RuntimeError, match="1 runs, not 2"):
        dlx_runs.train(Command(TINY, 2))


@pytest.mark.slow
def test_a_failed_command_says_its_last_words():
    with pytest.raises(RuntimeError, match=r"exit code 2\n(.|\n)*there is no"):
        dlx_runs.train(Command(("optimizer=adm",), 1))


def test_a_command_that_is_wrong_may_be_what_is_wanted(tmp_path):
    assert dlx_runs.call(["-m", "dlx", "train", "epochs=many"], tmp_path, code=2) > 0
    with pytest.raises(RuntimeError, match="exit code 2"):
        dlx_runs.call(["-m", "dlx", "train", "epochs=many"], tmp_path)


def test_a_command_has_compiled_files_and_a_cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("DLX_DATA", raising=False)
    script = "import os, sys; print(sys.dont_write_bytecode, os.environ['DLX_CACHE'], os.environ['DLX_DATA'])"
    dlx_runs.call(["-c", script], tmp_path)
    printed = (tmp_path / "output.txt").read_text().split()
    assert printed == ["False", str(tmp_path / "cache"), str(tmp_path / "elsewhere" / "data")]


@pytest.mark.slow
def test_what_a_command_trained_can_be_kept(tmp_path):
    dlx_runs.train_in(tmp_path, Command((*TINY, "name=kept"), 1))
    assert len(list(tmp_path.glob("outputs/kept/*/result.json"))) == 1
