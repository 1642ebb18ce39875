"""dlx called from outside: what counts as done, what a failure says, whose code is running."""

import json
import sys

import pytest

from tests.benchmarks import dlx_runs
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.hydra_part import OTHER, owner

TINY = ("data=digits", "data.train_size=64", "data.val_size=32", "model.width=4", "epochs=2", "threads=1")


@pytest.mark.slow
def test_commands_are_timed_from_their_first_run_to_their_last_epoch():
    wall = dlx_runs.train([Command((*TINY, "seed=0,1"), 2)])
    assert 0 < wall.training < wall.whole
    assert wall.start_up == pytest.approx(wall.whole - wall.training)


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [([(1, 4)], 3), ([(5, 7), (1, 4)], 5), ([(1, 4), (3, 7)], 6), ([(1, 9), (3, 4), (8, 10)], 9)],
)
def test_time_that_two_commands_share_counts_once(spans, seconds):
    assert dlx_runs.covered(spans) == seconds


@pytest.mark.slow
def test_a_command_that_trains_other_than_its_runs_has_failed():
    with pytest.raises(RuntimeError, match="1 runs, not 2"):
        dlx_runs.train([Command(TINY, 2)])


@pytest.mark.slow
def test_a_failed_command_says_its_last_words():
    with pytest.raises(RuntimeError, match=r"exit code 2\n(.|\n)*there is no"):
        dlx_runs.train([Command(("optimizer=adm",), 1)])


def frame_of(*modules):
    """The innermost frame of functions that call one another, each in a module of its own."""
    call = sys._getframe
    for module in reversed(modules):
        space = {"__name__": module, "inner": call}
        exec("def outer(): return inner()", space)
        call = space["outer"]
    return call()


@pytest.mark.parametrize(
    ("modules", "whose"),
    [
        (["dlx.study.training", "dlx.study.cohort", "torch.nn.linear"], "torch"),
        (["dlx.commands.train", "dlx.compose.request"], "dlx"),
        (["dlx.compose.request", "hydra.core.utils", "logging.config"], "Hydra"),
        (["dlx.compose.request", "dlx.compose.composer"], "Hydra"),
        (["dlx.config", "omegaconf.base", "copy"], "Hydra"),
        (["threading"], OTHER),
    ],
)
def test_time_belongs_to_the_innermost_package_that_is_known(modules, whose):
    assert owner(frame_of(*modules)) == whose


@pytest.mark.slow
def test_the_parts_of_a_command_are_seen(tmp_path):
    result = tmp_path / "seconds.json"
    words = ["-m", "tests.benchmarks.hydra_part", str(result), "train", *TINY, "output_root=outputs"]
    dlx_runs.call(words, tmp_path)
    seconds = json.loads(result.read_text())
    assert {"Hydra", "torch", "dlx"} <= set(seconds)
    assert all(value > 0 for value in seconds.values())
