import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from dlx import rng
from dlx.model.layers import Dropout
from dlx.model.registry import models
from dlx.model.resnet import BasicBlock

CONF = Path(__file__).parents[2] / "conf"
OTHERS = {"custom", "point"}  # a module of the user's, and no net at all; each has a test file of its own
PRESETS = sorted({path.stem for path in (CONF / "model").glob("*.yaml")} - OTHERS)

# What the stacked engine has to know. A new type here is a new rule there.
KNOWN = {
    *(nn.Sequential, nn.Flatten, nn.Identity, nn.Linear, nn.Conv2d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d),
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid),
    *(Dropout, BasicBlock),
}


def settings_of(preset: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = OmegaConf.to_container(compose(overrides=[f"+model={preset}"]).model)
    assert settings.pop("init") == "default"
    return settings


def built(preset: str, shape: tuple[int, ...] = (1, 28, 28), **changes: Any) -> nn.Module:
    settings = settings_of(preset) | changes
    return models.build(settings.pop("name"), settings, input_shape=shape, outputs=10)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 17, 22)])
def test_every_preset_maps_a_batch_of_images_to_one_row_of_outputs_each(
    preset: str, shape: tuple[int, int, int]
) -> None:
    out = built(preset, shape)(torch.randn(2, *shape))
    assert out.shape == (2, 10)
    assert out.isfinite().all()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_holds_every_argument_of_its_class_with_its_default(preset: str) -> None:
    settings = settings_of(preset)
    name = settings.pop("name")
    parameters = inspect.signature(type(built(preset))).parameters
    assert set(settings) == set(parameters) - {"input_shape", "outputs"}
    changed = {"mlp_bn": {"norm": "batch"}, "mlp_ln": {"norm": "layer"}}.get(preset, {})
    by_default = models.build(name, changed, input_shape=(1, 28, 28), outputs=10)
    assert repr(built(preset)) == repr(by_default)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_opens_with_the_command_that_runs_it(preset: str) -> None:
    first = (CONF / "model" / f"{preset}.yaml").read_text().splitlines()[0]
    assert first.startswith(f"# dlx train model={preset}")


def test_every_architecture_has_a_preset() -> None:
    assert {settings_of(preset)["name"] for preset in PRESETS} == set(models.names()) - OTHERS


@pytest.mark.parametrize("preset", PRESETS)
def test_models_are_made_of_layers_that_the_stacked_engine_knows(preset: str) -> None:
    model = built(preset)
    # The architecture itself counts as Sequential only if it leaves Sequential's forward as it is.
    assert type(model).forward is nn.Sequential.forward
    assert {type(module) for module in model.modules() if module is not model} <= KNOWN


@pytest.mark.parametrize("preset", PRESETS)
def test_initial_weights_follow_the_seed_alone(preset: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        with rng.global_state(seed, "init"):
            return torch.cat([p.detach().flatten() for p in built(preset).parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize(
    ("preset", "names"),
    [
        ("mlp", ["linear1", "linear2", "output"]),
        ("mlp_bn", ["linear1", "norm1", "linear2", "norm2", "output"]),
        ("linear", ["output"]),
        ("lenet", ["conv1", "conv2", "linear1", "linear2", "output"]),
        ("convnet", ["conv1", "conv2", "output"]),
        ("cnn", [*(f"block{n}.{layer}" for n in (1, 2, 3) for layer in ("conv1", "norm1")), "output"]),
    ],
)
def test_the_names_in_a_checkpoint_are_those_of_the_layers(preset: str, names: list[str]) -> None:
    assert list(dict.fromkeys(key.rpartition(".")[0] for key in built(preset).state_dict())) == names
