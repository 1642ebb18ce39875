"""The random changes to training images: the augmentation of a run, and the transforms that it combines.

Axes: B images of the batch, C channels, H height, W width.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor

from dlx.augment.custom import OwnTransform
from dlx.errors import RequestError, unknown
from dlx.registry import Registry, check_arguments


def build_augment(settings: Mapping[str, Any], input_shape: tuple[int, ...]) -> "Augment | None":
    """Return the augmentation for samples of `input_shape`, (C, H, W) or (F,), or None if everything is off.

    A key is a transform and its value the strength; 0, false and a missing key turn it off. With a `target`,
    the other keys are arguments of the user's own transform. Raises RequestError for an unknown key or a
    strength of the wrong type, out of range or too large for the images.
    """
    known = all_transforms()
    others = {key: value for key, value in settings.items() if key not in known}
    own = OwnTransform(others, input_shape, (*known, "target", "per_image")) if "target" in others else None
    if others and own is None:
        raise unknown("augment", next(iter(others)), known)
    on = {name: settings[name] for name in known if settings.get(name, 0) != 0}  # false == 0
    return Augment({name: _build(name, on[name], input_shape) for name in on}, own) if on or own else None


def _build(name: str, strength: bool | int | float, input_shape: tuple[int, ...]) -> "Transform":
    transform = all_transforms()[name]
    if transform.needs_images and len(input_shape) != 3:
        raise RequestError(
            f"augment.{name}={strength}: needs images (channels, height, width), but the data set has "
            f"{input_shape[0]} features"
        )
    built = transform(**check_arguments(transform, {name: strength}, set(), "augment"))
    if transform.in_pixels and strength > min(input_shape[1:]):
        height, width = input_shape[1:]
        raise RequestError(f"augment.{name}={strength}: the images have only {height} x {width} pixels")
    return built


@functools.cache
def all_transforms() -> "dict[str, type[Transform]]":
    """Return every transform by name, in the order in which they are drawn and applied."""
    classes = {name: cast("type[Transform]", builder) for name, builder in transforms.builders().items()}
    return dict(sorted(classes.items(), key=lambda item: item[1].order))


class Augment:
    """The transforms of one run; `augment(x, generator)` draws for the batch and applies the draws.

    An engine that trains a stack can instead draw run by run, concatenate the draws of each transform, and
    call its static `apply` on all images; but not for the user's `own`, which comes last.
    """

    def __init__(self, transforms: "Mapping[str, Transform]", own: OwnTransform | None = None) -> None:
        self.transforms, self.own = dict(transforms), own

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the augmented batch, of the same shape and dtype; `x` is floating and is left as it is."""
        draws = self.draw(generator, x.shape)
        for name, transform in self.transforms.items():
            x = transform.apply(x, draws[name])
        return x if self.own is None else self.own(x, generator)

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Draw the numbers of every transform for a batch of this shape."""
        return {name: transform.draw(generator, shape) for name, transform in self.transforms.items()}


class Transform(ABC):
    """A random change to a batch, in two phases; built with its strength, the value of its key in the YAML.

    The draws are one tensor with a leading axis B and include all that depends on the strength. Runs with
    different strengths and generators can therefore draw one by one, concatenate their draws and apply them
    to their stacked images at once.
    """

    # Transforms are applied in ascending order: those that move pixels, then cutout, whose square they would
    # tear apart, then noise, which also covers the zeros.
    order: ClassVar[int]
    needs_images: ClassVar[bool] = True
    in_pixels: ClassVar[bool] = False  # whether the strength is a number of pixels

    @abstractmethod
    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw for a batch of this shape, [B, C, H, W] or [B, F], on the generator's device."""

    @staticmethod
    @abstractmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the changed images, of the same shape and floating dtype; the input is left as it is."""


# A builder is a Transform whose only argument has the name it is registered under.
transforms: Registry[Transform] = Registry("augment", "dlx.augment")

Pixels = Annotated[int, Field(ge=0)]


@transforms.register("flip")
class Flip(Transform):
    """Mirror each image left to right with probability `flip`; true means 0.5."""

    order: ClassVar[int] = 10

    def __init__(self, flip: bool | float) -> None:
        self.probability = 0.5 if flip is True else float(flip)
        if not 0 <= self.probability <= 1:
            raise RequestError(f"augment.flip={flip}: give true, false or a probability from 0 to 1")

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw which images to flip: bool [B]."""
        return torch.rand(shape[0], generator=generator, device=generator.device) < self.probability

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images, the drawn ones mirrored."""
        flip_B111 = draws[:, None, None, None]
        return torch.where(flip_B111, images.flip(-1), images)


@transforms.register("shift")
class Shift(Transform):
    """Roll each image by -shift .. shift pixels down and, independently, to the right; it wraps around."""

    order: ClassVar[int] = 20
    in_pixels: ClassVar[bool] = True

    def __init__(self, shift: Pixels) -> None:
        self.largest = shift

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw (down, right) for each image: int64 [B, 2]."""
        return _draw_offsets(generator, shape[0], self.largest)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images as torch.roll would roll each of them."""
        height, width = images.shape[2:]
        return _gather(images, _origins(draws[:, 0], height) % height, _origins(draws[:, 1], width) % width)


@transforms.register("crop")
class Crop(Transform):
    """Pad each image with `crop` zeros on every side and cut out the original size at a random position.

    It is computed as a move by -crop .. crop pixels each way that leaves zeros behind, which is equivalent.
    He et al. (2016) crop CIFAR by 4.
    """

    order: ClassVar[int] = 30
    in_pixels: ClassVar[bool] = True

    def __init__(self, crop: Pixels) -> None:
        self.padding = crop

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw the move (down, right) of each image: int64 [B, 2]."""
        return _draw_offsets(generator, shape[0], self.padding)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images moved, with zeros where there is no image."""
        height, width = images.shape[2:]
        rows_BH, columns_BW = _origins(draws[:, 0], height), _origins(draws[:, 1], width)
        inside_BH = (rows_BH >= 0) & (rows_BH < height)
        inside_BW = (columns_BW >= 0) & (columns_BW < width)
        moved_BCHW = _gather(images, rows_BH.clamp(0, height - 1), columns_BW.clamp(0, width - 1))
        outside_BHW = ~(inside_BH[:, :, None] & inside_BW[:, None, :])
        return moved_BCHW.masked_fill_(outside_BHW[:, None], 0)


@transforms.register("cutout")
class Cutout(Transform):
    """Set a square of side `cutout` to zero in each image (DeVries & Taylor 2017).

    Its centre is uniform over the pixels, so part of it may lie outside, as in the paper. Zero is the mean
    if the data are standardised to mean zero.
    """

    order: ClassVar[int] = 40
    in_pixels: ClassVar[bool] = True

    def __init__(self, cutout: Pixels) -> None:
        self.side = cutout

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw squares as first row, end row, first column, end column, not clipped: int64 [B, 4]."""
        centres = [
            torch.randint(side, shape[:1], generator=generator, device=generator.device) for side in shape[2:]
        ]
        top_B, left_B = (centre_B - self.side // 2 for centre_B in centres)
        return torch.stack([top_B, top_B + self.side, left_B, left_B + self.side], dim=1)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return the images with their squares set to zero in every channel."""
        top_B1, bottom_B1, left_B1, right_B1 = draws[:, :, None].unbind(1)
        row_H = torch.arange(images.shape[2], device=images.device)
        column_W = torch.arange(images.shape[3], device=images.device)
        rows_BH = (row_H >= top_B1) & (row_H < bottom_B1)
        columns_BW = (column_W >= left_B1) & (column_W < right_B1)
        square_BHW = rows_BH[:, :, None] & columns_BW[:, None, :]
        return images.masked_fill(square_BHW[:, None], 0)


@transforms.register("noise")
class GaussianNoise(Transform):
    """Add normal noise of standard deviation `noise` to every value, without clipping; works on flat data.

    The unit is that of the inputs as the model sees them, after standardisation.
    """

    order: ClassVar[int] = 50
    needs_images: ClassVar[bool] = False

    def __init__(self, noise: Annotated[float, Field(ge=0, allow_inf_nan=False)]) -> None:
        self.sigma = noise

    def draw(self, generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
        """Draw the noise itself, always float32, so that it does not depend on the dtype of the run."""
        normal = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)
        return normal.mul_(self.sigma)

    @staticmethod
    def apply(images: Tensor, draws: Tensor) -> Tensor:
        """Return images + noise."""
        return images + draws.to(images.dtype)


def _draw_offsets(generator: torch.Generator, batch: int, largest: int) -> Tensor:
    """Draw (down, right) moves, each uniform over the integers -largest .. largest: int64 [B, 2]."""
    return torch.randint(
        -largest, largest + 1, (batch, 2), generator=generator, device=generator.device, dtype=torch.int64
    )


def _origins(offsets_B: Tensor, side: int) -> Tensor:
    """Return the index along a side that each pixel comes from when its image moves by `offsets`.

    int64 [B, side]; outside 0 .. side - 1 where there is no image.
    """
    return torch.arange(side, device=offsets_B.device) - offsets_B[:, None]


def _gather(images_BCHW: Tensor, rows_BH: Tensor, columns_BW: Tensor) -> Tensor:
    """Return images whose pixel [h, w] is the input's [rows[h], columns[w]], with indices for each image."""
    batch, channels, height, width = images_BCHW.shape
    pixel_BHW = rows_BH[:, :, None] * width + columns_BW[:, None, :]
    # For 32 x 28 x 28 on a CPU, one gather over flat pixels takes 13 us; indexing by [b, :, h, w] takes 90.
    index_BCP = pixel_BHW.view(batch, 1, height * width).expand(batch, channels, height * width)
    return images_BCHW.flatten(2).gather(2, index_BCP).view(images_BCHW.shape)
