"""Composing in copies gives what Hydra gives, node by node, and wrong words are left for Hydra to name."""

import pytest
from omegaconf import Container, OmegaConf

from dlx.compose.composer import Composer, config_folder, initialised

PRESETS = sorted(path.stem for path in (config_folder() / "sweep").glob("*.yaml"))


@pytest.fixture(scope="module")
def composer():
    with initialised([]) as ready:
        yield ready


def described(node, parent=None):
    """All there is to a node: its values, types and flags, in order, and that it hangs where it should."""
    assert node._get_parent() is parent
    facts = {"type": type(node), **vars(node._metadata), "resolver_cache": None}
    if isinstance(node, Container) and not (
        node._is_none() or node._is_missing() or node._is_interpolation()
    ):
        content = node._content
        items = content.items() if isinstance(content, dict) else enumerate(content)
        return [facts, [(key, described(child, node)) for key, child in items]]
    return [facts, node._value()]


def by_hydra(composer, words):
    """The configuration of Hydra itself, without its own node."""
    config = composer.compose_with_hydra([o.input_line for o in composer.parse(words)])
    choices = {group: str(choice) for group, choice in config.hydra.runtime.choices.items()}
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    OmegaConf.set_struct(config, True)
    return config, choices


def assert_equal_to_hydra(composer, words):
    composed = composer.compose(words)
    expected, choices = by_hydra(composer, words)
    assert OmegaConf.to_yaml(composed.config) == OmegaConf.to_yaml(expected)
    assert described(composed.config) == described(expected)
    assert composed.choices == choices


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_composes_as_hydra_does(preset, composer):
    assert_equal_to_hydra(composer, [f"sweep={preset}", "seed=3"])


@pytest.mark.parametrize(
    "words",
    [
        ["optimizer.lr=1e-3"],
        ["optimizer.lr=null"],
        ["optimizer.lr=0.1", "optimizer.lr=0.2"],
        ["threads=null", "data.val_size=0.5", "epochs=1_000"],
        ["model.sizes=[32,16]"],
        ["model.sizes=[]"],
        ["optimizer.betas=[0.8]"],
        ["data.split_seed=${seed}"],
        ["seeds.init=7", "seeds.order=${seeds.init}"],
        ["name='a, b'"],
        ['name="it\'s \\"quoted\\""'],
        ["name=a\\,b"],
        ["name="],
        ["name='null'"],
        ["name=${oc.env:HOME}"],
        ["model.dropout=true"],
        ["model.dropout=text"],
        ["optimizer.lr=str(1)"],
        ["early_stopping=null"],
        ["model=resnet", "optimizer=sgd", "optimizer.momentum=0.9"],
        ["optimizer.weight_decay=0.1", "optimizer=sgd"],
        ["sweep=[seeds,width]", "model.width=16"],
        ["epochs=???"],
    ],
    ids=str,
)
def test_values_are_set_in_a_copy_as_hydra_sets_them(words, composer, monkeypatch):
    composer.compose([*[w for w in words if composer.is_group(w.split("=")[0])], "seed=0"])
    calls, whole = [], Composer.compose_with_hydra
    monkeypatch.setattr(
        Composer, "compose_with_hydra", lambda self, words: calls.append(words) or whole(self, words)
    )
    composer.compose([*words, "seed=1"])
    assert calls == []  # the choices were composed by the first; this one is a copy
    assert_equal_to_hydra(composer, [*words, "seed=1"])


@pytest.mark.parametrize(
    "words",
    [
        ["~seeds.init"],
        ["+optimizer@second=sgd"],
        ["+model.hidden=64"],
        ["+model.hidden=64", "model.hidden=65"],
        ["+model.hidden=${model.width}", "model.width=9"],
        ["+model.hidden=[1,2]", "+seeds.more=a", "optimizer=sgd"],
        ["+model.options={a: [1, {b: null}]}"],
        ["++model.hidden=64", "model.hidden=65"],
        ["++seeds.init.a=1"],
        ["early_stopping={patience: 3, min_delta: 0.0}"],
        ["model={width:3}", "model.width=4"],
        ["seeds={init: 3}", "seeds.init=4"],
    ],
    ids=str,
)
def test_what_is_not_plainly_key_and_value_is_left_to_hydra(words, composer):
    assert_equal_to_hydra(composer, [*words, "seed=1"])


def test_a_grid_whose_runs_add_the_same_keys_is_composed_once(composer, monkeypatch):
    calls, whole = [], Composer.compose_with_hydra
    monkeypatch.setattr(
        Composer, "compose_with_hydra", lambda self, words: calls.append(words) or whole(self, words)
    )
    runs = [composer.compose(["+model.unheard_of=64", f"seed={seed}"]).config for seed in range(3)]
    assert [(run.model.unheard_of, run.seed) for run in runs] == [(64, 0), (64, 1), (64, 2)]
    assert len(calls) == 1


def test_copies_are_apart(composer):
    first, second = (composer.compose(words).config for words in (["model.sizes=[1]"], ["epochs=2"]))
    first.model.sizes[0] = 9
    assert second.model.sizes is None
    assert composer.compose(["epochs=3"]).config.model.sizes is None
