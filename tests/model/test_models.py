import inspect
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from torch import nn

from dlx import rng
from dlx.compose.composer import initialised
from dlx.errors import RequestError
from dlx.model.models import (
    ACTIVATIONS,
    Activation,
    Dropout,
    draw_from_generators,
    image_shape,
    models,
    use_generator,
)
from dlx.model.resnet import BasicBlock


@pytest.mark.parametrize("name", get_args(Activation))
def test_an_activation_is_the_function_of_its_name(name: Activation) -> None:
    x = torch.linspace(-3, 3, 25)
    expected = x if name == "none" else getattr(F, name, getattr(torch, name, None))(x)
    torch.testing.assert_close(ACTIVATIONS[name]()(x), expected)


def dropout(p: float, seed: int = 0) -> Dropout:
    layer = Dropout(p)
    use_generator(layer, torch.Generator().manual_seed(seed))
    return layer


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_dropout_zeroes_a_share_p_and_scales_the_rest_so_that_the_mean_stays(p: float) -> None:
    out = dropout(p)(torch.ones(200, 500))
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=0.01)
    torch.testing.assert_close(out[out != 0], torch.tensor(1 / (1 - p)).expand((out != 0).sum()))
    assert out.mean().item() == pytest.approx(1, abs=0.02)


def test_dropout_follows_its_generator_from_step_to_step() -> None:
    x = torch.ones(4, 50)
    layer = dropout(0.5)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    again = dropout(0.5)
    assert torch.equal(again(x), first)
    assert torch.equal(again(x), second)
    assert torch.equal(first, x * layer.mask(x.shape, torch.Generator().manual_seed(0)))


def test_dropout_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    dropout(0.5)(torch.ones(3, 3))
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_passes_the_input_in_evaluation_and_at_zero_without_a_draw() -> None:
    x = torch.randn(4, 5)
    assert dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_dropout_without_a_generator_refuses_to_train() -> None:
    with pytest.raises(RuntimeError, match="use_generator"):
        Dropout(0.5)(torch.ones(2))


def test_dropout_gives_the_same_mask_in_float64_with_the_exact_scale() -> None:
    x = torch.ones(4, 50)
    single, double = dropout(0.5)(x), dropout(0.5)(x.double())
    assert double.dtype == torch.float64
    assert torch.equal(single.double(), double)


def test_the_gradient_is_dropped_with_the_value() -> None:
    x = torch.ones(4, 50, requires_grad=True)
    out = dropout(0.5)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_one_generator_serves_every_dropout_of_a_model() -> None:
    model = nn.Sequential(Dropout(0.5), nn.Sequential(Dropout(0.5)))
    use_generator(model, torch.Generator().manual_seed(0))
    x = torch.ones(40, 50)
    share = (model(x) == 0).float().mean().item()
    assert share == pytest.approx(0.75, abs=0.04)  # equal masks would leave half
    use_generator(model, None)
    with pytest.raises(RuntimeError):
        model(x)


@pytest.mark.parametrize(
    ("layer", "shape", "mask"),
    [
        (nn.Dropout(0.5), (4, 3, 2), (4, 3, 2)),
        (nn.Dropout1d(0.5), (4, 30, 7), (4, 30, 1)),
        (nn.Dropout1d(0.5), (30, 7), (30, 1)),
        (nn.Dropout2d(0.5), (4, 30, 5, 6), (4, 30, 1, 1)),
        (nn.Dropout2d(0.5), (4, 30, 7), (4, 30, 1)),  # torch takes it for [B, C, L]
        (nn.Dropout3d(0.5), (4, 30, 2, 3, 4), (4, 30, 1, 1, 1)),
        (nn.Dropout3d(0.5), (30, 2, 3, 4), (30, 1, 1, 1)),
    ],
)
@pytest.mark.filterwarnings("ignore:dropout2d")
def test_torchs_dropout_layers_draw_from_the_generator_what_torch_draws(
    layer: nn.Dropout, shape: tuple[int, ...], mask: tuple[int, ...]
) -> None:
    x = torch.ones(shape)
    by_torch = layer(x)
    for axis, (size, drawn) in enumerate(zip(shape, mask, strict=True)):
        assert (drawn < size) == torch.equal(by_torch.amin(axis), by_torch.amax(axis))
    draw_from_generators(layer)
    use_generator(layer, torch.Generator().manual_seed(0))
    expected = dropout(0.5)(torch.ones(mask)).expand(shape)
    assert torch.equal(layer(x), expected)


def test_a_dropout_layer_that_is_held_in_two_places_draws_in_both() -> None:
    net = nn.Sequential(nn.Dropout(0.5, inplace=True), nn.Sequential(nn.Dropout(1.0)))
    held = [net[0]]
    draw_from_generators(net)
    use_generator(net, torch.Generator().manual_seed(0))
    x = torch.ones(4, 50)
    assert torch.equal(held[0](x), dropout(0.5)(torch.ones(4, 50)))
    assert torch.equal(x, dropout(0.5)(torch.ones(4, 50))), "in place"
    assert isinstance(held[0], nn.Dropout)
    assert net[1](x).sum() == 0


@pytest.mark.parametrize("name", ["lenet", "convnet", "cnn", "resnet"])
def test_an_image_model_on_flat_data_says_what_it_needs(name: str) -> None:
    message = rf"model.name={name}: needs images \(channels, height, width\), but .* has 64 features"
    with pytest.raises(RequestError, match=message):
        models.build(name, {}, input_shape=(64,), outputs=10)


@pytest.mark.parametrize(("name", "smallest"), [("lenet", 12), ("cnn", 8)])
@pytest.mark.parametrize("wide", [False, True])
def test_the_smallest_image_works_and_one_pixel_less_is_refused(name: str, smallest: int, wide: bool) -> None:
    models.build(name, {}, input_shape=(1, smallest, smallest), outputs=10)
    height, width = (smallest - 1, 40) if wide else (40, smallest - 1)
    message = (
        rf"model.name={name}: needs images of at least {smallest} x {smallest} pixels, .* {height} x {width}"
    )
    with pytest.raises(RequestError, match=message):
        models.build(name, {}, input_shape=(1, height, width), outputs=10)


def test_an_image_shape_is_returned() -> None:
    assert image_shape("lenet", (3, 12, 15), smallest=12) == (3, 12, 15)


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
    with initialised([]) as composer:
        settings = OmegaConf.to_container(composer.compose([f"model={preset}"]).config.model)
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
    assert {settings_of(preset)["name"] for preset in PRESETS} == set(models.builders()) - OTHERS


@pytest.mark.parametrize("preset", sorted({*PRESETS} - {"airbench"}))  # which stacks through vmap
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
