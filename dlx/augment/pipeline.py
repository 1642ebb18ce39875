"""The augmentation of a run: its `augment` settings -> the transforms that are on, in a fixed order."""

import functools
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from dlx.augment.transforms import Transform, transforms
from dlx.errors import RequestError, unknown
from dlx.registry import check_arguments


@functools.cache
def all_transforms() -> dict[str, type[Transform]]:
    """Return every transform by name, in the order in which they are drawn and applied."""
    classes = {name: cast("type[Transform]", builder) for name, builder in transforms.builders().items()}
    return dict(sorted(classes.items(), key=lambda item: item[1].order))


def build_augment(
    settings: Mapping[str, bool | int | float], input_shape: tuple[int, ...]
) -> "Augment | None":
    """Return the augmentation for samples of `input_shape`, (C, H, W) or (F,), or None if everything is off.

    A key is a transform and its value the strength; 0, false and a missing key turn it off. Raises
    RequestError for an unknown key, and for a strength of the wrong type, out of range or too large for the
    images.
    """
    known = all_transforms()
    for key in settings:
        if key not in known:
            raise unknown("augment", key, known)
    on = {name: settings[name] for name in known if settings.get(name, 0) != 0}  # false == 0
    return Augment({name: _build(name, on[name], input_shape) for name in on}) if on else None


class Augment:
    """The transforms of one run; `augment(x, generator)` draws for the batch and applies the draws.

    An engine that trains a stack can draw run by run instead, concatenate the runs' draws of each transform
    and call its static `apply` on all their images.
    """

    def __init__(self, transforms: Mapping[str, Transform]) -> None:
        self.transforms = dict(transforms)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the augmented batch, of the same shape and dtype; `x` is floating and is left as it is."""
        draws = self.draw(generator, x.shape)
        for name, transform in self.transforms.items():
            x = transform.apply(x, draws[name])
        return x

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Draw the numbers of every transform for a batch of this shape."""
        return {name: transform.draw(generator, shape) for name, transform in self.transforms.items()}


def _build(name: str, strength: bool | int | float, input_shape: tuple[int, ...]) -> Transform:
    transform = all_transforms()[name]
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
