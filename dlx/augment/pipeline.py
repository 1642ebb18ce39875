"""The augmentation of a run: its `augment` settings -> the transforms that are on, in a fixed order."""

from collections.abc import Mapping

import torch
from torch import Tensor

from dlx.augment.crop import Crop
from dlx.augment.cutout import Cutout
from dlx.augment.flip import Flip
from dlx.augment.noise import Noise
from dlx.augment.shift import Shift
from dlx.augment.transform import Transform
from dlx.errors import RequestError, unknown
from dlx.registry import check_arguments

# In the order they are applied: what moves pixels, then the square that a move would tear apart (or
# bring back), then the noise, which covers the zeros too.
TRANSFORMS: dict[str, type[Transform]] = {
    "flip": Flip,
    "shift": Shift,
    "crop": Crop,
    "cutout": Cutout,
    "noise": Noise,
}


def build_augment(
    settings: Mapping[str, bool | int | float], input_shape: tuple[int, ...]
) -> "Augment | None":
    """Return the augmentation for samples of `input_shape`, (C, H, W) or (F,), or None if all is off.

    A key is a transform, its value the strength; 0 and false are off, and so is a missing key. Raises
    RequestError for an unknown key and for a strength of the wrong type or range, or too large for the
    images.
    """
    for key in settings:
        if key not in TRANSFORMS:
            raise unknown("augment", key, TRANSFORMS)
    transforms = {
        name: _build(name, settings[name], input_shape)
        for name in TRANSFORMS
        if name in settings and not _is_off(settings[name])
    }
    return Augment(transforms) if transforms else None


class Augment:
    """The transforms of one run; `augment(x, generator)` draws for the batch and applies the draws.

    The two phases are there by themselves for an engine that draws run by run and applies to a stack:
    concatenate the runs' draws of a transform and call its static `apply` on their images.
    """

    def __init__(self, transforms: Mapping[str, Transform]) -> None:
        self.transforms = dict(transforms)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the augmented batch, of the same shape and dtype; `x` is floating and stays as it is."""
        return apply(x, self.draw(generator, x.shape))

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Draw every transform's numbers for a batch of this shape, in the order they are applied."""
        return {name: transform.draw(generator, shape) for name, transform in self.transforms.items()}


def apply(x: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    """Apply what `Augment.draw` returned, or several runs' draws laid end to end, to the batch `x`."""
    for name, transform in TRANSFORMS.items():
        if name in draws:
            x = transform.apply(x, draws[name])
    return x


def _is_off(strength: bool | int | float) -> bool:
    return strength == 0  # false too


def _build(name: str, strength: bool | int | float, input_shape: tuple[int, ...]) -> Transform:
    transform = TRANSFORMS[name]
    if transform.needs_images and len(input_shape) != 3:
        raise RequestError(
            f"augment.{name}={strength}: needs images (channels, height, width),"
            f" the data set has {input_shape[0]} features"
        )
    built = transform(**check_arguments(transform, {name: strength}, set(), "augment"))
    if transform.in_pixels and strength > min(input_shape[1:]):
        height, width = input_shape[1:]
        raise RequestError(f"augment.{name}={strength}: the images have only {height} x {width} pixels")
    return built
