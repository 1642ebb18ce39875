"""How the runs of a grid are named on the terminal."""

from dlx.sweep.launcher import labels


def test_a_run_is_named_by_what_tells_it_from_the_others():
    grid = [["epochs=3", "optimizer.lr=0.1", "seed=0"], ["epochs=3", "optimizer.lr=0.2", "seed=0"]]
    assert labels(grid) == ["lr=0.1", "lr=0.2"]


def test_a_key_keeps_its_group_where_its_last_word_is_not_enough():
    grid = [["optimizer.lr=1", "model.lr=2", "seed=0"], ["optimizer.lr=3", "model.lr=4", "seed=1"]]
    assert labels(grid) == ["optimizer.lr=1 model.lr=2 seed=0", "optimizer.lr=3 model.lr=4 seed=1"]


def test_hydras_own_keys_and_a_run_alone_have_no_label():
    assert labels([["hydra.verbose=true", "seed=1"]]) == [""]
    assert labels([["hydra.x=1", "seed=1"], ["hydra.x=2", "seed=2"]]) == ["seed=1", "seed=2"]
