"""What is read from a component's source is what Python says of the class, and wrong words are refused."""

import inspect
from importlib import import_module

import pytest

from dlx import components
from dlx.components import GROUPS, check_components, read_signature, registered
from dlx.compose.request import compose_one
from dlx.errors import RequestError
from dlx.model.models import SCHEMES


def builders(group):
    module, variable, _ = GROUPS[group]
    return getattr(import_module(module), variable).builders()


@pytest.mark.parametrize("group", GROUPS)
def test_the_names_of_a_group_are_those_of_its_registry(group):
    assert set(registered(group)) == set(builders(group))


@pytest.mark.parametrize(("group", "name"), [(group, name) for group in GROUPS for name in registered(group)])
def test_a_signature_read_from_the_source_is_pythons(group, name):
    builder, read = builders(group)[name], read_signature(group, name)
    parameters = inspect.signature(builder, eval_str=True).parameters
    assert read.name == builder.__name__
    assert list(read.parameters) == list(parameters)
    for key, parameter in parameters.items():
        ours = read.parameters[key]
        assert ours.kind == parameter.kind
        assert (ours.default is ours.empty) == (parameter.default is parameter.empty)
        if key not in GROUPS[group][2]:  # dlx passes these itself
            assert repr(ours.annotation) == repr(parameter.annotation)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "model.norm=bacth",
            r"^model.norm='bacth': must be one of none, batch, layer; did you mean 'batch'\?$",
        ),
        ("model.width=0", r"^model.width=0: must be 1 or more$"),
        ("model.name=cnn", r"^model.width: 'CNN' takes no such setting"),
        (
            "model.name=nosuch",
            r"^model.name: there is no 'nosuch' \(allowed: airbench, cnn, convnet, custom,",
        ),
        (
            "model.init=kaiming",
            r"^model.init: there is no 'kaiming'; did you mean '\w+'\? \(allowed: default,",
        ),
        ("~optimizer.lr", r"^optimizer.lr: 'adam' needs a value for it$"),
        ("schedule=cosine schedule.final=2", r"^schedule.final=2: must be 1 or less$"),
        ("data=blobs data.classes=1", r"^data.classes=1: must be 2 or more$"),
        ("data=npz data.path=nowhere.npz", r"^data.path=nowhere.npz: there is no "),
        ("loss.reduction=max", r"^loss.reduction='max': must be one of mean, sum"),
        (
            "data=surface loss.function=bowll",
            r"^loss.function='bowll': there is no such surface; did you mean",
        ),
        ("+augment.nosuch=0", r"^augment: there is no 'nosuch'"),
        ("augment.noise=-1", r"^augment.noise=-1: must be 0 or more$"),
    ],
)
def test_a_wrong_word_is_refused_as_building_the_run_refuses_it(words, message):
    from dlx.build import build

    settings = compose_one(words.split())
    with pytest.raises(RequestError, match=message) as ours:
        check_components(settings)
    with pytest.raises(RequestError) as theirs:
        build(settings)
    assert str(ours.value) == str(theirs.value)


INITS = [f"model.init={scheme}" for scheme in (*SCHEMES, "normal:0.1", "default")]


@pytest.mark.parametrize(
    "words", ["augment.flip=true", "data=surface", "model=custom model.target=a:b", *INITS]
)
def test_right_words_pass(words):
    check_components(compose_one(words.split()))


OWN = """
from dataclasses import dataclass
from functools import lru_cache
from fractions import Fraction
from dlx.registry import Registry

things: Registry[object] = Registry("own", "own_things")


@things.register("plain")
def plain(*, size: int) -> None: ...


@things.register("wrapped")
@lru_cache
def wrapped(*, size: int) -> None: ...


@things.register("inherited")
@dataclass(frozen=True)
class Inherited(Fraction):
    size: int


@things.register("bare")
class Bare: ...
"""


def test_what_cannot_be_read_is_left_to_the_building_of_the_run(tmp_path, monkeypatch):
    (tmp_path / "own_things.py").write_text(OWN)
    (tmp_path / "more_things.py").write_text(
        OWN.replace("own_things", "more_things") + "things.register('z')(0)"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(GROUPS, "own", ("own_things", "things", set()))
    monkeypatch.setitem(GROUPS, "more", ("more_things", "things", set()))
    readable = {name: read_signature("own", name) is not None for name in registered("own")}
    assert readable == {"plain": True, "wrapped": False, "inherited": False, "bare": False}
    with pytest.raises(RequestError, match="there is no 'z'"):
        components._check("own", "own.name", "z", {})
    components._check("more", "more.name", "z", {})  # it may be registered in another way
    with pytest.raises(RequestError, match="'plain' needs a value for it"):
        components._check("more", "more.name", "plain", {})
