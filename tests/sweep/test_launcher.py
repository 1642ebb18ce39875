"""How the runs of a grid are named on the terminal, and what is built before the first is trained."""

from pathlib import Path

import pytest

import dlx.build
from dlx.cli import main
from dlx.sweep.launcher import labels

OWN_NET = ["model.target=ownnet:Net"]


def test_a_run_is_named_by_what_tells_it_from_the_others():
    grid = [["epochs=3", "optimizer.lr=0.1", "seed=0"], ["epochs=3", "optimizer.lr=0.2", "seed=0"]]
    assert labels(grid) == ["lr=0.1", "lr=0.2"]


def test_a_key_keeps_its_group_where_its_last_word_is_not_enough():
    grid = [["optimizer.lr=1", "model.lr=2", "seed=0"], ["optimizer.lr=3", "model.lr=4", "seed=1"]]
    assert labels(grid) == ["optimizer.lr=1 model.lr=2 seed=0", "optimizer.lr=3 model.lr=4 seed=1"]


def test_hydras_own_keys_and_a_run_alone_have_no_label():
    assert labels([["hydra.verbose=true", "seed=1"]]) == [""]
    assert labels([["hydra.x=1", "seed=1"], ["hydra.x=2", "seed=2"]]) == ["seed=1", "seed=2"]


@pytest.mark.parametrize(("model", "built"), [(["model.width=8"], 2), (["model=custom", *OWN_NET], 6)])
def test_runs_that_differ_in_seeds_alone_are_tried_once_but_for_a_users_own_model(
    model, built, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("ownnet.py").write_text(
        "import torch\ndef Net(): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
    )
    calls = []
    build = dlx.build.build

    def spy(settings, *threads):
        calls.append((settings.optimizer.arguments["lr"], settings.seed))
        return build(settings, *threads)

    monkeypatch.setattr(dlx.build, "build", spy)
    words = ["seed=0,1,2", "optimizer.lr=0.1,0.01", "data.train_size=50", "epochs=1", "name=s"]
    assert main(["train", *words, *model]) == 0
    tried, trained = calls[:built], calls[built:]
    assert {lr for lr, _ in tried} == {0.1, 0.01}
    assert len(trained) == len(set(trained)) == 6
    assert main(["train", *words, *model]) == 0  # finished runs are not built
    assert len(calls) == built + 6
