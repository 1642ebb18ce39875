from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from dlx.augment.transforms import (
    Augment,
    Crop,
    Cutout,
    Flip,
    GaussianNoise,
    Shift,
    all_transforms,
    build_augment,
)
from dlx.compose.composer import initialised
from dlx.errors import RequestError

CONF = Path(__file__).parents[2] / "conf"
IMAGE = (1, 8, 8)


def built(settings: dict[str, bool | int | float], shape: tuple[int, ...] = IMAGE) -> Augment:
    augment = build_augment(settings, shape)
    assert augment is not None
    return augment


@pytest.mark.parametrize(
    "settings", [{}, {"noise": 0, "flip": False, "shift": 0, "crop": 0, "cutout": 0}, {"noise": 0.0}]
)
def test_nothing_is_built_when_everything_is_off(settings: dict[str, float]) -> None:
    assert build_augment(settings, IMAGE) is None


def test_transforms_draw_and_apply_in_a_fixed_order_whatever_the_order_of_the_keys() -> None:
    images = torch.rand(16, *IMAGE, generator=torch.Generator().manual_seed(0))
    settings = {"noise": 0.1, "cutout": 3, "crop": 2, "shift": 1, "flip": True}
    augmented = built(settings)(images, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    expected = images
    pieces = [Flip(True), Shift(1), Crop(2), Cutout(3), GaussianNoise(0.1)]
    for draws, piece in [(piece.draw(generator, images.shape), piece) for piece in pieces]:
        expected = piece.apply(expected, draws)
    assert torch.equal(augmented, expected)


@pytest.mark.parametrize("name", list(all_transforms()))
def test_each_transform_changes_the_batch_by_itself_and_leaves_the_input(name: str) -> None:
    images = torch.rand(16, *IMAGE, generator=torch.Generator().manual_seed(0)) + 1
    before = images.clone()
    changed = built({name: 2 if name != "flip" else 1})(images, torch.Generator().manual_seed(1))
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    assert torch.equal(images, before)


def test_runs_of_different_strengths_are_augmented_in_one_stack_as_each_alone() -> None:
    images_RBCHW = torch.rand(3, 6, *IMAGE, generator=torch.Generator().manual_seed(0))
    runs = [built({"flip": 0.3 * r, "shift": r, "crop": r, "cutout": r, "noise": 0.1 * r}) for r in (1, 2, 3)]
    alone = [
        run(images, torch.Generator().manual_seed(r))
        for r, (run, images) in enumerate(zip(runs, images_RBCHW, strict=True))
    ]
    draws = [run.draw(torch.Generator().manual_seed(r), (6, *IMAGE)) for r, run in enumerate(runs)]
    images = images_RBCHW.flatten(0, 1)
    for name, transform in all_transforms().items():
        images = transform.apply(images, torch.cat([draw[name] for draw in draws]))
    assert torch.equal(images, torch.cat(alone))


def test_draws_come_from_the_generator_alone() -> None:
    images = torch.rand(16, *IMAGE, generator=torch.Generator().manual_seed(0))
    augment = built({"flip": True, "shift": 1, "crop": 1, "cutout": 2, "noise": 0.1})
    state = torch.get_rng_state()
    first, again, other = (augment(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_works_on_flat_data() -> None:
    augmented = built({"noise": 0.1, "flip": False}, (64,))(torch.zeros(4, 64), torch.Generator())
    assert 0 < augmented.std() < 0.2


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ({"flip": True}, (64,), r"augment.flip=True: needs images .* the data set has 64 features"),
        ({"shift": 1}, (64,), r"augment.shift=1: needs images"),
        ({"flipp": True}, IMAGE, r"augment: there is no 'flipp'; did you mean 'flip'\?"),
        ({"noise": -0.1}, IMAGE, r"augment.noise=-0.1: must be 0 or more"),
        ({"noise": True}, IMAGE, r"augment.noise=true: must be a number"),
        ({"noise": float("inf")}, IMAGE, r"augment.noise=.*finite number"),
        ({"shift": 1.5}, IMAGE, r"augment.shift=1.5: must be a whole number"),
        ({"crop": -1}, IMAGE, r"augment.crop=-1: must be 0 or more"),
        ({"flip": 1.5}, IMAGE, r"augment.flip=1.5: give true, false or a probability"),
        ({"shift": 9}, IMAGE, r"augment.shift=9: the images have only 8 x 8 pixels"),
        ({"crop": 9}, IMAGE, r"augment.crop=9: the images have only 8 x 8 pixels"),
        ({"cutout": 9}, (1, 20, 8), r"augment.cutout=9: the images have only 20 x 8 pixels"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(
    settings: dict[str, float], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        build_augment(settings, shape)


@pytest.mark.parametrize(
    ("preset", "on"),
    [
        ("none", []),
        ("flip", ["flip"]),
        ("shift_flip", ["flip", "shift"]),
        ("standard", ["flip", "crop"]),
    ],
)
def test_a_preset_holds_every_key_and_turns_on_what_its_name_says(preset: str, on: list[str]) -> None:
    with initialised([]) as composer:
        settings = OmegaConf.to_container(composer.compose([f"augment={preset}"]).config.augment)
    augment = build_augment(settings, (3, 32, 32))
    assert set(settings) == set(all_transforms())
    assert ([] if augment is None else list(augment.transforms)) == on


def test_every_preset_is_tested() -> None:
    presets = {path.stem for path in (CONF / "augment").glob("*.yaml")}
    assert presets == {"none", "flip", "shift_flip", "standard", "custom"}  # the last in tests/own
