"""Settings bear the words that chose them, where these are recorded and unambiguous."""

import pytest

from dlx.errors import RequestError
from dlx.report.analysis import find_baselines, find_settings
from dlx.report.design import find_design


def run(name, lr, word, seed=0, **more):
    return {"optimizer.name": name, "optimizer.lr": lr, "choices.optimizer": word, "seed": seed, **more}


NETS = {
    f"{norm} {flip} {seed}": {
        "model.name": "mlp",
        "model.norm": norm,
        "choices.model": word,
        "augment.flip": flip,
        "choices.augment": "flip" if flip else "none",
        "seed": seed,
    }
    for norm, word in (("none", "mlp"), ("batch", "mlp_bn"))
    for flip in (False, True)
    for seed in (0, 1)
}


def test_a_users_own_choice_is_shown_as_it_is_named():
    runs = {"a": run("adam", 0.001, "adam"), "b": run("sgd", 0.02, "slow_sgd")}
    assert find_design(runs).labels == ["adam", "slow_sgd"]


def test_a_class_of_several_words_is_told_apart_by_its_keys_unless_the_words_are_asked_for():
    runs = {"a": run("adam", 0.001, "adam"), "b": run("sgd", 0.02, "slow_sgd"), "c": run("sgd", 0.1, "sgd")}
    assert find_design(runs).labels == ["adam, lr 0.001", "sgd, lr 0.02", "sgd, lr 0.1"]
    assert find_design(runs, ["optimizer"]).labels == ["adam", "slow_sgd", "sgd"]


def test_two_words_for_the_same_settings_are_not_shown():
    runs = {
        "a": run("adam", 0.1, "adam"),
        "b": run("sgd", 0.1, "slow_sgd"),
        "c": run("sgd", 0.1, "sgd", seed=1),
    }
    design = find_design(runs)
    assert [row["optimizer.name"] for row in design.rows] == ["adam", "sgd"]


def test_words_that_some_runs_do_not_record_are_not_shown():
    runs = {"a": run("adam", 0.1, "adam"), "b": run("sgd", 0.1, "slow_sgd")}
    del runs["a"]["choices.optimizer"]
    assert [row["optimizer.name"] for row in find_design(runs).rows] == ["adam", "sgd"]


def test_words_of_one_class_are_no_key_unless_they_are_asked_for():
    assert find_design(NETS).keys == ["model.norm", "augment.flip"]
    by_model = find_design(NETS, ["model"])
    assert by_model.labels == ["mlp", "mlp_bn"]
    assert by_model.names == {"model.name": "model"}
    assert find_design(NETS, ["augment"]).labels == ["none", "flip"]
    assert find_design(NETS, ["model", "augment"]).labels == [
        "mlp, none",
        "mlp, flip",
        "mlp_bn, none",
        "mlp_bn, flip",
    ]


def test_a_baseline_may_be_a_word():
    design = find_design(NETS)
    assert find_settings(design, "model=mlp_bn", "--baseline") == [2, 3]
    assert find_baselines(design, "model=mlp") == {2: 0, 3: 1}
    assert find_baselines(design, "augment=flip") == {0: 1, 2: 3}
    with pytest.raises(RequestError, match="no setting is 'model=cnn'"):
        find_settings(design, "model=cnn", "--baseline")


def test_a_group_whose_keys_follow_from_another_can_still_be_named():
    runs = {
        "a": {"model.mirror": False, "augment.flip": False, "seed": 0},
        "b": {"model.mirror": True, "augment.flip": True, "seed": 0},
    }
    assert find_design(runs).keys == ["model.mirror"]
    assert find_design(runs, ["augment"]).keys == ["augment.flip"]


@pytest.mark.parametrize("key", ["device", "threads", "engine.name", "keep", "probes.layers", "compile"])
def test_what_changes_no_number_or_its_last_bits_makes_no_setting(key):
    runs = {f"{value} {seed}": {key: value, "lr": 0.1, "seed": seed} for value in (1, 2) for seed in (0, 1)}
    design = find_design(runs)
    assert len(design.rows) == 1
    assert key not in design.shared
    assert find_design({name: values | {key: 1} for name, values in runs.items()}).shared[key] == 1
