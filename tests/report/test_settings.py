"""The keys that make rows: seeds never do, what follows from a shown key is not shown."""

import random
from typing import Any

from dlx.report.settings import find_design, short_names
from dlx.report.text import MISSING


def lay_out_runs(*runs: dict[str, Any]) -> Any:
    return find_design({f"run{place}": values for place, values in enumerate(runs)})


def test_seeds_and_output_keys_make_no_rows() -> None:
    layout = lay_out_runs(
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
    assert layout.keys == []
    assert layout.labels == ["all runs"]
    assert layout.of_run == {"run0": 0, "run1": 0}
    assert layout.seeds == ["seed", "data.split_seed"]  # seeds.init says nothing that seed does not
    assert layout.shared == {"lr": 1}


def test_the_root_of_ones_own_files_counts() -> None:
    runs = [{"data.root": root, "data.path": "x.csv"} for root in ("/a", "/b")]
    assert lay_out_runs(*runs).keys == ["data.root"]


def test_what_follows_from_a_groups_choice_is_not_shown() -> None:
    sgd = {"optimizer.name": "sgd", "optimizer.momentum": 0.9}
    adam = {"optimizer.name": "adam", "optimizer.betas": [0.9, 0.999]}
    layout = lay_out_runs(*(group | {"optimizer.lr": lr} for group in (sgd, adam) for lr in (0.1, 0.001)))
    assert layout.keys == ["optimizer.name", "optimizer.lr"]
    assert layout.names == {"optimizer.name": "optimizer", "optimizer.lr": "lr"}
    assert layout.labels == ["sgd, lr 0.1", "sgd, lr 0.001", "adam, lr 0.1", "adam, lr 0.001"]
    assert layout.implied == {
        "optimizer.momentum": f"0.9 with sgd, {MISSING} with adam",
        "optimizer.betas": f"{MISSING} with sgd, [0.9, 0.999] with adam",
    }


def test_what_varies_within_a_choice_is_shown() -> None:
    layout = lay_out_runs(
        {"optimizer.name": "sgd", "optimizer.momentum": 0.9},
        {"optimizer.name": "sgd", "optimizer.momentum": 0.0},
        {"optimizer.name": "adam"},
    )
    assert layout.keys == ["optimizer.name", "optimizer.momentum"]
    assert layout.labels == ["sgd, momentum 0.9", "sgd, momentum 0", "adam"]


def test_a_random_search_shows_all_that_was_searched() -> None:
    layout = lay_out_runs({"lr": 0.1, "width": 8}, {"lr": 0.03, "width": 16}, {"lr": 0.01, "width": 16})
    assert layout.keys == ["lr", "width"]  # though each run's lr determines its width


def test_keys_that_are_equal_in_every_run_are_shown_once() -> None:
    layout = lay_out_runs(*({"epochs": n, "schedule.over": n} for n in (10, 20)))
    assert layout.keys == ["epochs"]


def test_one_and_one_point_zero_are_one_setting_and_true_is_another() -> None:
    layout = lay_out_runs({"dropout": 0}, {"dropout": 0.0}, {"dropout": False})
    assert list(layout.of_run.values()) == [0, 0, 1]
    assert layout.labels == ["dropout 0", "dropout false"]


def test_labels_that_come_out_equal_are_told_apart() -> None:
    assert lay_out_runs({"lr": 0.1}, {"lr": 0.1 + 1e-12}).labels == ["lr 0.1 (1)", "lr 0.1 (2)"]


def test_a_name_is_shortened_only_where_it_stays_clear() -> None:
    keys = ["model.init", "augment.init", "optimizer.lr", "model.name", "seeds.lr", "name"]
    assert short_names(keys[:4], keys) == {
        "model.init": "model.init",
        "augment.init": "augment.init",
        "optimizer.lr": "lr",
        "model.name": "model",
    }


def test_one_sample_and_all_samples_are_two_settings() -> None:
    assert lay_out_runs({"data.train_size": 1}, {"data.train_size": 1.0}).keys == ["data.train_size"]


def test_thousands_of_keys_make_a_short_label_and_every_one_counts() -> None:
    chance = random.Random(0)
    runs = [{f"group{key % 50}.key{key}": chance.random() for key in range(3000)} for _ in range(7)]
    layout = lay_out_runs(*runs, runs[0] | {"group0.key0": 99})
    assert (len(layout.rows), len(layout.keys)) == (8, 3000)
    assert all(label.count(",") == 12 and "more" in label for label in layout.labels)
    assert len(set(layout.labels)) == 8
