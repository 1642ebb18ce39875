"""scikit-learn's bundled digits: 1797 images of 8x8, pixels 0 to 16; needs no network and no files."""

from pathlib import Path

import torch

from dlx.data.source import Arrays, Source, sources

WHITE = 16.0


@sources.register("digits")
def digits(root: Path) -> Source:  # noqa: ARG001 - bundled with scikit-learn
    """Read ten classes, inputs [1797, 1, 8, 8] uint8."""
    arrays = _read()
    return Source(tuple("0123456789"), arrays, white=WHITE)


@sources.register("digits_binary")
def digits_binary(root: Path) -> Source:  # noqa: ARG001 - bundled with scikit-learn
    """Read the same images in two classes: 0 to 4 (label 0) against 5 to 9 (label 1)."""
    arrays = _read()
    return Source(("0-4", "5-9"), Arrays(arrays.inputs, (arrays.labels >= 5).long()), white=WHITE)


def _read() -> Arrays:
    from sklearn.datasets import load_digits

    bundle = load_digits()
    # Stored as float64, but every value is a whole number from 0 to 16.
    inputs = torch.from_numpy(bundle.images).to(torch.uint8).unsqueeze(1)
    return Arrays(inputs, torch.from_numpy(bundle.target).long())
