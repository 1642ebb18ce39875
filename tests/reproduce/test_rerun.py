"""Which runs a `where` matches, and the error if it matches none or too many."""

import pytest

from dlx.errors import RequestError
from dlx.reproduce.claim import Claim
from dlx.reproduce.rerun import check_claim, train_words
from dlx.reproduce.where import PlannedRun, matching, write_where


def planned(seed=0, choices=None, **settings):
    settings = {"keep": "none", **{key.replace("__", "."): value for key, value in settings.items()}}
    return PlannedRun(seed, settings, choices or {})


RUNS = [
    planned(
        seed, {"optimizer": name, "model": model}, optimizer__name=name, optimizer__lr=lr, model__name="mlp"
    )
    for seed in (0, 1)
    for name, lr, model in (("sgd", 0.1, "mlp"), ("sgd", 1, "mlp_bn"), ("adam", 0.1, "mlp_bn"))
]


def claim(**keys):
    return Claim(claim="mine", source="here", **keys)


def test_numbers_match_by_value_and_groups_by_choice_or_by_name():
    assert matching({"optimizer.lr": 1.0}, RUNS) == [1, 4]
    assert matching({"optimizer": "adam"}, RUNS) == [2, 5]
    assert matching({"model": "mlp_bn", "optimizer": "sgd"}, RUNS) == [1, 4]
    assert matching({"model": "mlp"}, RUNS) == [0, 1, 2, 3, 4, 5]  # mlp_bn.yaml's name is mlp
    assert matching({}, RUNS) == [0, 1, 2, 3, 4, 5]
    assert matching({"optimizer.lr": "0.1"}, RUNS) == []


def test_lists_and_booleans_match_as_they_are():
    runs = [planned(model__sizes=[], augment__flip=False), planned(model__sizes=[32], augment__flip=True)]
    assert matching({"model.sizes": [32]}, runs) == [1]
    assert matching({"model.sizes": []}, runs) == [0]
    assert matching({"augment.flip": True}, runs) == [1]
    assert matching({"augment.flip": 1}, runs) == []


def test_a_setting_is_written_in_a_few_words():
    assert (
        write_where({"optimizer": "sgd", "optimizer.lr": 0.1, "batch_size": 5}) == "sgd, lr 0.1, batch size 5"
    )
    assert write_where({}) == "all runs"


def figure(**keys):
    return {"metric": "val_accuracy", "value": 0.5, **keys}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"figures": [figure(where={"optimizer.lrr": 1})]},
            ["mine: figures.0.where.optimizer.lrr", "did you mean 'optimizer.lr'?"],
        ),
        (
            {"figures": [figure(where={"optimizer": "sdg"})]},
            ["mine: figures.0.where: no run has sdg", "optimizer is sgd or adam"],
        ),
        (
            {"figures": [figure(where={"optimizer": "sgd"})]},
            ["4 runs of 2 seeds have sgd", "pick: best"],
        ),
        (
            {
                "orders": [
                    {"better": {"optimizer": "adam"}, "worse": {"optimizer.lr": 7}, "metric": "val_loss"}
                ]
            },
            ["mine: orders.0: no run has lr 7", "optimizer.lr is 0.1 or 1"],
        ),
        (
            {"figures": [figure(where={"optimizer": "adam"}, at="test")]},
            ["keep=best or keep=last"],
        ),
    ],
)
def test_a_where_that_matches_no_run_or_too_many_is_refused(keys, words):
    with pytest.raises(RequestError) as caught:
        check_claim(claim(**keys), RUNS)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_where_may_match_one_run_per_seed_or_pick_one():
    figures = [figure(where={"optimizer": "adam"}), figure(where={"optimizer": "sgd"}, pick="best")]
    check_claim(claim(figures=figures), RUNS)


def test_the_last_word_for_a_key_wins():
    mine = claim(overrides=["data.split_seed=null", "~sweep"], grid={"optimizer.lr": [0.1, 1e-4]}, seeds=5)
    assert train_words(mine, 2, ["optimizer.lr=0.3"]) == [
        "seed=0,1",
        "data.split_seed=null",
        "~sweep",
        "optimizer.lr=0.3",
        "name=mine-reproduced",
    ]
    assert train_words(mine, None, [])[0] == "seed=0,1,2,3,4"
    assert train_words(claim(seeds=1), 7, [])[0] == "seed=0"  # nothing in it is random
