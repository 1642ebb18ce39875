import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from dlx.compose.composer import initialised
from dlx.errors import RequestError
from dlx.model.models import models

CONF = Path(__file__).parents[2] / "conf"
MYNET = """
import torch
from torch import nn

number = 3

class Net(nn.Sequential):
    def __init__(self, input_shape, outputs, hidden: int = 8):
        super().__init__(nn.Flatten(), nn.Linear(input_shape[0], hidden), nn.Linear(hidden, outputs))

def fixed(width=5):
    return nn.Linear(64, width)

def open_ended(**arguments):
    return nn.Linear(arguments["a"], arguments["b"])

def classifier(num_classes):
    return nn.Linear(64, num_classes)

def lazy():
    return nn.LazyLinear(10)

def wrong():
    return 3

def faulty():
    raise KeyError("a bug of the user's")
"""


@pytest.fixture(autouse=True)
def mynet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "mynet.py").write_text(MYNET)
    (tmp_path / "broken.py").write_text("import no_such_package_at_all")
    (tmp_path / "unreadable.py").write_text("def")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    for name in ("mynet", "broken", "unreadable"):
        sys.modules.pop(name, None)


def built(target: str, **arguments: object) -> nn.Module:
    return models.build("custom", {"target": target, **arguments}, input_shape=(64,), outputs=10)


def test_a_class_in_the_current_folder_is_built_for_the_data() -> None:
    path = list(sys.path)
    net = built("mynet:Net", hidden=16)
    assert net(torch.zeros(3, 64)).shape == (3, 10)
    assert net[1].out_features == 16
    assert sys.path == path


def test_shapes_are_given_only_to_a_signature_that_names_them() -> None:
    assert built("mynet:fixed")(torch.zeros(3, 64)).shape == (3, 5)
    assert built("mynet:open_ended", a=2, b=7)(torch.zeros(3, 2)).shape == (3, 7)


def test_the_number_of_classes_is_given_under_either_name_unless_it_is_set() -> None:
    assert built("mynet:classifier").out_features == 10
    assert built("mynet:classifier", num_classes=7).out_features == 7


def test_a_class_in_an_installed_package_is_built() -> None:
    assert isinstance(built("torch.nn:Linear", in_features=64, out_features=10), nn.Linear)


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("???", {}, r"model.target=\?\?\?: write it as package.module:Name"),
        ("mynet", {}, r"model.target=mynet: write it as package.module:Name"),
        ("mynet:1", {}, "write it as"),
        (
            "mynett:Net",
            {},
            r"importing 'mynett' failed: ModuleNotFoundError: No .* 'mynett' .* \(looked in ",
        ),
        (
            "broken:Net",
            {},
            "importing 'broken' failed: .* No module named 'no_such_package_at_all'",
        ),
        ("unreadable:Net", {}, "importing 'unreadable' failed: SyntaxError: invalid syntax"),
        ("mynet:Nett", {}, r"'mynet' \(.*mynet.py\) has no 'Nett'; did you mean 'Net'\?"),
        ("mynet:number", {}, "is a int, not a class or a function"),
        ("mynet:wrong", {}, "returned a int, not a torch.nn.Module"),
        ("mynet:faulty", {}, r"""model.target=mynet:faulty: KeyError: "a bug of the user's".* shows where"""),
        ("mynet:lazy", {}, "has lazy layers, .* `input_shape`"),
        ("mynet:Net", {"hiden": 3}, r"model.hiden: 'Net' takes no such setting; did you mean 'hidden'\?"),
        ("mynet:Net", {"hidden": "many"}, "model.hidden='many': .* whole number"),
        ("torch.nn:Linear", {}, "model.in_features: 'Linear' needs a value for it"),
    ],
)
def test_an_error_that_the_user_can_fix_is_one_line(
    target: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        built(target, **arguments)


def test_arguments_are_added_to_the_packaged_preset_with_a_plus() -> None:
    with initialised([]) as composer:
        config = composer.compose(["model=custom", "model.target=mynet:Net", "+model.hidden=5"]).config
    settings = OmegaConf.to_container(config.model)
    assert settings.pop("init") == "default"
    net = models.build(settings.pop("name"), settings, input_shape=(64,), outputs=10)
    assert net[1].out_features == 5


def test_the_users_own_preset_makes_the_arguments_ordinary_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    preset = tmp_path / "conf" / "model" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("name: custom\ntarget: mynet:Net\nhidden: 64\ninit: default\n")
    with initialised([]) as composer:
        config = composer.compose(["model=mine", "model.hidden=6"]).config
    settings = OmegaConf.to_container(config.model)
    assert settings.pop("init") == "default"
    net = models.build(settings.pop("name"), settings, input_shape=(64,), outputs=10)
    assert net[1].out_features == 6
