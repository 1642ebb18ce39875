"""The keys that make settings: not seeds, and not keys that follow from a shown one."""

import random
from typing import Any

from dlx.report.design import find_design, short_names
from dlx.report.text import MISSING


def design_of(*runs: dict[str, Any]) -> Any:
    return find_design({f"run{index}": values for index, values in enumerate(runs)})


def test_seeds_and_output_keys_do_not_tell_settings_apart() -> None:
    design = design_of(
        {
            "name": "a",
            "slug": "x",
            "seed": 0,
            "seeds.init": 0,
            "data.split_seed": 0,
            "data.root": "/a",
            "lr": 1,
        },
        {
            "name": "b",
            "slug": "y",
            "seed": 1,
            "seeds.init": 1,
            "data.split_seed": 7,
            "data.root": "/b",
            "lr": 1.0,
        },
    )
    assert design.keys == []
    assert design.labels == ["all runs"]
    assert design.of_run == {"run0": 0, "run1": 0}
    assert design.seeds == ["seed", "data.split_seed"]  # seeds.init is equal to seed
    assert design.shared == {"lr": 1}


def test_the_root_of_the_users_own_files_tells_settings_apart() -> None:
    runs = [{"data.root": root, "data.path": "x.csv"} for root in ("/a", "/b")]
    assert design_of(*runs).keys == ["data.root"]


def test_keys_that_follow_from_a_groups_choice_are_not_shown() -> None:
    sgd = {"optimizer.name": "sgd", "optimizer.momentum": 0.9}
    adam = {"optimizer.name": "adam", "optimizer.betas": [0.9, 0.999]}
    design = design_of(*(group | {"optimizer.lr": lr} for group in (sgd, adam) for lr in (0.1, 0.001)))
    assert design.keys == ["optimizer.name", "optimizer.lr"]
    assert design.names == {"optimizer.name": "optimizer", "optimizer.lr": "lr"}
    assert design.labels == ["sgd, lr 0.1", "sgd, lr 0.001", "adam, lr 0.1", "adam, lr 0.001"]
    assert design.implied == {
        "optimizer.momentum": f"0.9 with sgd, {MISSING} with adam",
        "optimizer.betas": f"{MISSING} with sgd, [0.9, 0.999] with adam",
    }


def test_keys_that_vary_within_a_choice_are_shown() -> None:
    design = design_of(
        {"optimizer.name": "sgd", "optimizer.momentum": 0.9},
        {"optimizer.name": "sgd", "optimizer.momentum": 0.0},
        {"optimizer.name": "adam"},
    )
    assert design.keys == ["optimizer.name", "optimizer.momentum"]
    assert design.labels == ["sgd, momentum 0.9", "sgd, momentum 0", "adam"]


def test_a_random_search_shows_every_searched_key() -> None:
    design = design_of({"lr": 0.1, "width": 8}, {"lr": 0.03, "width": 16}, {"lr": 0.01, "width": 16})
    assert design.keys == ["lr", "width"]  # though each run's lr determines its width


def test_keys_that_are_equal_in_every_run_are_shown_once() -> None:
    design = design_of(*({"epochs": n, "schedule.over": n} for n in (10, 20)))
    assert design.keys == ["epochs"]


def test_one_equals_one_point_zero_but_not_true() -> None:
    design = design_of({"dropout": 0}, {"dropout": 0.0}, {"dropout": False})
    assert list(design.of_run.values()) == [0, 0, 1]
    assert design.labels == ["dropout 0", "dropout false"]


def test_equal_labels_get_numbers() -> None:
    assert design_of({"lr": 0.1}, {"lr": 0.1 + 1e-12}).labels == ["lr 0.1 (1)", "lr 0.1 (2)"]


def test_a_name_is_shortened_only_if_it_stays_unambiguous() -> None:
    keys = ["model.init", "augment.init", "optimizer.lr", "model.name", "seeds.lr", "name"]
    assert short_names(keys[:4], keys) == {
        "model.init": "model.init",
        "augment.init": "augment.init",
        "optimizer.lr": "lr",
        "model.name": "model",
    }


def test_one_sample_and_all_samples_are_different_settings() -> None:
    assert design_of({"data.train_size": 1}, {"data.train_size": 1.0}).keys == ["data.train_size"]


def test_thousands_of_keys_make_a_short_label_but_all_tell_settings_apart() -> None:
    chance = random.Random(0)
    runs = [{f"group{key % 50}.key{key}": chance.random() for key in range(3000)} for _ in range(7)]
    design = design_of(*runs, runs[0] | {"group0.key0": 99})
    assert (len(design.rows), len(design.keys)) == (8, 3000)
    assert all(label.count(",") == 12 and "more" in label for label in design.labels)
    assert len(set(design.labels)) == 8
