"""What an architecture needs of the shape of one sample, checked before it is built.

Axes: C channels, H height, W width, F features; one sample is an image (C, H, W) or flat (F,).
"""

from math import prod

from dlx.errors import RequestError


def feature_count(input_shape: tuple[int, ...]) -> int:
    """Return how many numbers one sample holds, whatever its shape."""
    return prod(input_shape)


def image_shape(name: str, input_shape: tuple[int, ...], smallest: int = 1) -> tuple[int, int, int]:
    """Return (C, H, W) for the model `name`, whose layers need H and W of at least `smallest` pixels.

    Raises RequestError for flat data and for images that its pooling would shrink to nothing.
    """
    if len(input_shape) != 3:
        raise RequestError(
            f"model.name={name}: needs images (channels, height, width),"
            f" the data set has {feature_count(input_shape)} features"
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise RequestError(
            f"model.name={name}: needs images of at least {smallest} x {smallest} pixels,"
            f" the data set has {height} x {width}"
        )
    return channels, height, width
