import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from dlx import rng
from dlx.compose.composer import initialised
from dlx.compose.request import compose, compose_one
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

class unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.LazyLinear(10), nn.LazyLinear(10)
    def forward(self, x):
        return self.a(x)

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
        (
            "mynet:faulty",
            {},
            r"""model.target=mynet:faulty: KeyError: "a bug of the user's" \(mynet.py, line 34; HYDRA_""",
        ),
        ("mynet:unused", {}, "its forward does not use the lazy layer 'b'"),
        ("mynet:Net", {"hiden": 3}, r"model.hiden: 'Net' takes no such setting; did you mean 'hidden'\?"),
        ("mynet:Net", {"hidden": "many"}, "model.hidden='many': .* whole number"),
        ("torch.nn:Conv2d", {"in_channels": 1}, "model.out_channels: 'Conv2d' needs a value for it"),
    ],
)
def test_an_error_that_the_user_can_fix_is_one_line(
    target: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        built(target, **arguments)


def test_lazy_layers_are_drawn_from_the_seed_and_know_the_shape_of_the_data() -> None:
    nets = []
    for seed in (0, 0, 1):
        with rng.global_state(seed, "init"):
            nets.append(built("mynet:lazy"))
    assert nets[0].weight.shape == (10, 64)
    assert torch.equal(nets[0].weight, nets[1].weight)
    assert not torch.equal(nets[0].weight, nets[2].weight)


@pytest.mark.parametrize("word", ["model.hidden=5", "+model.hidden=5"])
def test_arguments_are_keys_with_or_without_a_plus(word: str) -> None:
    with initialised([]) as composer:
        config = composer.compose(["model=custom", "model.target=mynet:Net", word]).config
    settings = OmegaConf.to_container(config.model)
    assert settings.pop("init") == "default"
    net = models.build(settings.pop("name"), settings, input_shape=(64,), outputs=10)
    assert net[1].out_features == 5


@pytest.mark.parametrize("besides", ["", "name: custom\ninit: default\n"])
def test_a_yaml_with_a_target_is_a_choice_whose_keys_are_the_arguments(besides: str, tmp_path: Path) -> None:
    preset = tmp_path / "conf" / "model" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text(f"target: mynet:Net\nhidden: 64\n{besides}")
    settings = compose_one(["model=mine", "model.hidden=6"]).model
    assert (settings.name, settings.init) == ("custom", "default")
    assert settings.arguments == {"target": "mynet:Net", "hidden": 6}


def test_a_target_chooses_the_users_own_part_unless_the_default_has_one(tmp_path: Path) -> None:
    words = ["model.target=mynet:Net", "model.hidden=7", "optimizer=sgd,adam"]
    assert [run.settings.model.arguments["hidden"] for run in compose(words).runs] == [7, 7]
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("target: mynet:Net\nhidden: 64\n")
    (tmp_path / "conf" / "train.yaml").write_text(
        (CONF / "train.yaml").read_text().replace("model: mlp", "model: mine")
    )
    assert compose_one(["model.target=mynet:fixed"]).model.arguments == {
        "target": "mynet:fixed",
        "hidden": 64,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.target=mynet:Net", "model.hidden=5", "epochz=5"], "^epochz: there is no such key"),
        (["model.hidden=5"], "^model.hidden: there is no such key"),
        (["model=mlp,custom", "model.target=mynet:Net"], "^model.target: there is no such key"),
    ],
)
def test_a_key_that_nobody_takes_is_still_refused(words: list[str], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        compose(words)


def test_arguments_can_be_given_beside_words_that_only_hydra_understands() -> None:
    settings = compose_one(["model.target=mynet:Net", "model.hidden=5", "~augment.noise"])
    assert settings.model.arguments == {"target": "mynet:Net", "hidden": 5}
    assert "noise" not in settings.augment
