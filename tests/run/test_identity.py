"""Which requests are equal; tests/test_config.py tests composed configurations."""

import pytest

from dlx.run.identity import (
    Fingerprints,
    changed_files,
    comparable,
    flatten,
    folder_name,
    identity,
    is_identity,
    losses_of,
    requested,
    setting_of,
    without_effect,
)


def test_nested_groups_become_dotted_keys_and_lists_stay():
    nested = {"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None}
    assert flatten(nested) == {"a.b.c": 1, "a.d": [1, 2], "e": None}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        ({"a": [0.0, 1]}, {"a": [0, 1.0]}, True),
        (1, True, False),
        (0, None, False),
        (0.1, 0.2, False),
        ({"data.train_size": 1}, {"data.train_size": 1.0}, False),
    ],
)
def test_numbers_are_equal_by_value_but_sizes_also_by_type(one, other, equal):
    assert (comparable(one) == comparable(other)) is equal


def test_the_data_root_counts_only_for_the_users_own_files():
    assert requested({"name": "a", "data.root": "/a", "seed": 1}) == {"seed": 1}
    assert requested({"data.root": "/a", "data.path": "b"}) == {"data.root": "/a", "data.path": "b"}


CONFIG = {"data": {"name": "npz", "root": "/a", "path": "b.npz"}, "seed": 1, "name": "study"}
KNOWN, TIMES = "sha256:12", "5 bytes:34"


def test_the_identity_of_a_run_without_own_files_is_that_of_its_settings():
    """Folders that were trained before own files counted keep their names."""
    expected = "a4bbadc1c789"
    assert identity({"seed": 1, "name": "a"}) == identity({"seed": 1, "name": "b"}, Fingerprints())
    assert identity({"seed": 1})[:12] == expected


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Fingerprints({"a.py": "1"}), Fingerprints(), False),
        (Fingerprints({"a.py": "1"}), Fingerprints({"a.py": "2"}), False),
        (Fingerprints({"a.py": "1", "b.py": "2"}), Fingerprints({"b.py": "2", "a.py": "1"}), True),
        (Fingerprints({"a.py": "1"}), Fingerprints({"a.py": "1", "b.py": "2"}), False),
        (Fingerprints(data={"b.npz": KNOWN}), Fingerprints(data={"b.npz": TIMES}), False),
    ],
)
def test_own_code_and_data_belong_to_the_identity(one, other, equal):
    assert (identity(CONFIG, one) == identity(CONFIG, other)) is equal


@pytest.mark.parametrize(("fingerprint", "equal"), [(KNOWN, True), (TIMES, False)])
def test_data_whose_content_is_known_may_be_moved(fingerprint, equal):
    moved = {**CONFIG, "data": {"name": "npz", "root": "/c", "path": "d/e.npz"}}
    here, there = Fingerprints(data={"b.npz": fingerprint}), Fingerprints(data={"e.npz": fingerprint})
    assert (identity(CONFIG, here) == identity(moved, there)) is equal


def test_changed_files_are_named_the_code_first():
    before = Fingerprints({"a.py": "1", "b.py": "2", "c.py": "3"}, {"x.npz": "4"})
    now = Fingerprints({"a.py": "1", "b.py": "5", "d.py": "6"}, {"x.npz": "7"})
    assert changed_files(before, now) == ["b.py", "d.py", "c.py", "x.npz"]
    assert changed_files(before, before) == []


def test_a_setting_is_what_seeds_do_not_change():
    values = {"seed": 0, "seeds.order": 0, "data.split_seed": 0, "optimizer.lr": 0.1, "name": "a"}
    others = {"seed": 1, "seeds.order": 1, "data.split_seed": 1, "optimizer.lr": 0.1, "name": "b"}
    assert setting_of(values) == setting_of(others)
    assert setting_of(values) != setting_of(values | {"optimizer.lr": 0.2})


@pytest.mark.parametrize("more", [{"keep": "last"}, {"keep": "auto"}, {"probes": {"layers": True}}])
def test_a_run_that_records_more_is_the_same_run(more):
    plain = {"seed": 1, "keep": "none", "probes": {"layers": False}}
    assert identity(plain | more) == identity(plain)
    assert setting_of(flatten(plain | more)) == setting_of(flatten(plain))


def test_the_identity_that_an_earlier_dlx_gave_a_run_with_a_checkpoint_is_known():
    """It was computed by the commit 33c8278, where `keep` and the probes counted."""
    config = {"seed": 1, "keep": "best", "probes": {"layers": True, "logits": []}}
    earlier = "ae7fbcdba46c88422b4afbaca7827e3072cfb9f4cbfbe9a537e9945e1cf760e6"
    assert is_identity(earlier, config)
    assert not is_identity(earlier, config | {"keep": "last"})
    assert is_identity(identity(config), config)


@pytest.mark.parametrize(
    "other",
    [
        {"device": "cuda"},
        {"threads": 2},
        {"engine": {"name": "loop", "width": None}},
        {"engine": {"name": "stacked", "width": 4}},
        {"deterministic": True},
        {"compile": True},
    ],
)
def test_what_changes_the_last_bits_alone_is_another_folder_but_no_other_setting(other):
    plain = {"device": "cpu", "threads": 1, "engine": {"name": "stacked", "width": None}, "seed": 1}
    assert identity(plain | other) != identity(plain)
    assert setting_of(flatten(plain | other)) == setting_of(flatten(plain))


def test_settings_without_effect_are_how_a_run_is_computed_and_what_it_records():
    values = {"engine.name": "loop", "keep": "best", "optimizer.lr": 0.1, "probes.every": 2, "seed": 1}
    assert without_effect(values) == {"engine.name": "loop", "keep": "best", "probes.every": 2}


@pytest.mark.parametrize(
    ("model", "lr", "words", "slug"),
    [
        ({"norm": "batch", "width": 64}, 0.001, ["model.width=64"], "mlp-w64-batch-adam-lr0.001-b8-s3"),
        ({"norm": "none", "width": 64}, 0.1, ["model=mlp"], "mlp-adam-lr0.1-b8-s3"),
        ({}, None, ["model.width=64"], "mlp-adam-b8-s3"),
    ],
)
def test_a_folder_is_named_by_what_is_compared_most_often(model, lr, words, slug):
    parts = {"model": {"name": "mlp"} | model, "optimizer": {"name": "adam", "lr": lr}}
    config = parts | {"data": {"fold": None}, "batch_size": 8, "seed": 3, "slug": None}
    assert folder_name(config, words=words) == f"{slug}-{identity(config)[:10]}"
    assert folder_name(config | {"slug": " my/own run. "}).startswith("my-own-run-")


def test_losses_differ_by_any_of_their_settings():
    one, other = {"loss.name": "huber", "loss.delta": 1.0, "seed": 0}, {"loss.name": "huber", "loss.delta": 2}
    assert len(losses_of([one, one | {"seed": 1}, one | {"loss.delta": 1}])) == 1
    assert len(losses_of([one, other])) == 2


def test_another_precision_is_another_setting():
    assert setting_of({"dtype": "float32", "precision": "tf32"}) != setting_of({"dtype": "float32"})


FORMER = {
    "deterministic": False,
    "compile": False,
    "metrics": [],
    "gradient_clip": None,
    "label_noise": 0,
    "sampler": None,
    "hooks": [],
    "loss.class_weights": None,
    "data.inputs": None,
    "data.labels": None,
    "data.task": "auto",
    "data.folds": None,
    "data.fold": None,
    "data.repeat": None,
}


@pytest.mark.parametrize("key", FORMER)
def test_a_key_that_came_later_counts_only_with_another_value(key):
    plain = {"seed": 1}
    assert identity(plain | {key: FORMER[key]}) == identity(plain)
    assert identity(plain | {key: 7}) != identity(plain)


def test_precision_counts_only_where_it_is_not_that_of_dtype():
    plain = {"dtype": "float32"}
    assert identity(plain | {"precision": "float32"}) == identity(plain)
    assert identity(plain | {"precision": "bfloat16"}) != identity(plain)


@pytest.mark.parametrize(
    "key",
    ["name", "output_root", "slug", "rerun", "baseline", "checkpoint.every", "data.storage", "cuda_graphs"],
)
def test_where_results_go_and_what_only_costs_time_does_not_count(key):
    assert identity({"seed": 1, key: "x"}) == identity({"seed": 1})
    assert identity({"seed": 1, "data.repeats": 5}) == identity({"seed": 1})


def test_recordings_count_as_if_nothing_were_recorded():
    """Folders that were trained before keep their names."""
    probes = {"layers": True, "gradients": True, "steps": True, "classes": True}
    probes |= {"logits": [1], "train_samples": 5, "images": 3}
    nothing = {"layers": False, "gradients": False, "steps": False, "classes": False}
    nothing |= {"logits": [], "train_samples": 0, "images": 0}
    config = {"seed": 1, "keep": "best", "probes": probes}
    expected = "7952becc2d519a61924f50eeea88022da98cc40a91ab38c1fc507dce15198e31"
    assert identity(config) == identity({"seed": 1, "keep": "none", "probes": nothing}) == expected
    assert identity({"seed": 1}) != expected
