"""The composed configuration: what is refused, and which requests are the same run."""

import pytest

from dlx.compose.request import compose, compose_one
from dlx.errors import RequestError
from dlx.run.identity import folder_name, identity


def config(*words):
    (run,) = compose(words).runs
    return run.config


def key(*words):
    return identity(config(*words))


def test_the_defaults_are_a_run_on_digits():
    settings = compose_one([])
    assert (settings.model.name, settings.optimizer.name, settings.data.name) == ("mlp", "adam", "digits")
    assert settings.seeds.init == settings.seed == 0


def test_seeds_follow_the_seed_unless_set_and_the_split_does_not():
    settings = compose_one(["seed=7", "seeds.order=3"])
    assert (settings.seeds.init, settings.seeds.order, settings.seeds.augment) == (7, 3, 7)
    assert settings.data.split_seed == 0


@pytest.mark.parametrize(
    "override",
    [
        "epochs=abc",
        "epochs=0",
        "epochs=1.5",
        "batch_size=0",
        "seed=-1",
        "device=gpu",
        "keep=first",
        "monitor=train_loss",
        "dtype=float16",
        "threads=0",
        "schedule.warmup=-1",
        "data.train_size=1.5",
        "data.train_size=-5",
        "data.standardise=mean",
        "early_stopping.patience=-1",
        "+foo=1",
        "name=../x",
        "name=.hidden",
        "name=a/b",
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_key(override):
    with pytest.raises(RequestError) as caught:
        compose_one([override])
    name = override.split("=")[0].lstrip("+")
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(RequestError, match="warm-up must end before epochs=3"):
        compose_one(["epochs=3", "schedule.warmup=3"])


@pytest.mark.parametrize(
    ("these", "those"),
    [
        ((), ("model=mlp", "optimizer=adam")),
        (("optimizer.lr=0.001",), ("optimizer.lr=1e-3",)),
        (("model.dropout=0",), ("model.dropout=0.0",)),
        (("model=mlp_bn",), ("model=mlp", "model.norm=batch")),
        (("seed=3",), ("seed=3", "seeds.init=3")),
        (("name=a", "output_root=b", "slug=c"), ()),
        (("data=fashion_mnist",), ("data=fashion_mnist", "data.root=/elsewhere")),
    ],
)
def test_the_same_request_in_other_words_is_the_same_run(these, those):
    assert key(*these) == key(*those)


@pytest.mark.parametrize(
    "override", ["seed=1", "optimizer.lr=0.002", "model.norm=batch", "data.split_seed=1", "augment.noise=0.1"]
)
def test_another_request_is_another_run(override):
    assert key(override) != key()


def test_all_samples_and_one_sample_are_different_requests():
    assert key("data.train_size=1") != key("data.train_size=1.0")


def test_the_root_of_the_users_own_files_is_part_of_the_request():
    assert key("data=npz", "data.root=/a") != key("data=npz", "data.root=/b")


def test_a_folder_is_named_after_the_settings_that_people_look_for():
    values = config("model=mlp_bn", "optimizer.lr=0.01", "seed=4")
    assert folder_name(values) == f"mlp-batch-adam-lr0.01-b32-s4-{identity(values)[:10]}"
    assert folder_name({**values, "slug": "a/../b c"}).startswith("a-..-b-c-")
