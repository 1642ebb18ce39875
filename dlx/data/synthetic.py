"""Synthetic data for trying things out: Gaussian blobs and interleaved spirals.

Inputs are float64, so that float64 runs get full precision. Axes: N samples, F features, K classes.
"""

import math
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field

from dlx import rng
from dlx.data.source import Arrays, Source, sources
from dlx.device import check_memory
from dlx.errors import RequestError

Count = Annotated[int, Field(ge=1)]
Classes = Annotated[int, Field(ge=2)]
Deviation = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
COPIES = 5  # of the samples, for a moment: centres, noise, their sum, the splits, the standardised splits


@sources.register("blobs")
def blobs(
    root: Path,  # noqa: ARG001 - drawn, not read
    *,
    samples: Count,
    classes: Classes,
    features: Count,
    noise: Deviation,
    seed: Seed,
) -> Source:
    """Draw one Gaussian per class, with a standard normal centre and standard deviation `noise`."""
    _check_size(samples, classes, features)
    generator = rng.generator(seed, "blobs")
    labels_N = torch.arange(samples) % classes
    centres_KF = torch.randn(classes, features, generator=generator, dtype=torch.float64)
    noise_NF = torch.randn(samples, features, generator=generator, dtype=torch.float64)
    return Source(tuple(map(str, range(classes))), Arrays(centres_KF[labels_N] + noise * noise_NF, labels_N))


@sources.register("spirals")
def spirals(
    root: Path,  # noqa: ARG001 - drawn, not read
    *,
    samples: Count,
    classes: Classes,
    turns: Annotated[float, Field(gt=0)],
    noise: Deviation,
    seed: Seed,
) -> Source:
    """Draw one spiral arm per class: radius 0 to 1 over `turns` turns, plus Gaussian `noise`."""
    _check_size(samples, classes, features=2)
    generator = rng.generator(seed, "spirals")
    labels_N = torch.arange(samples) % classes
    radius_N = torch.rand(samples, generator=generator, dtype=torch.float64)
    angle_N = 2 * math.pi * (turns * radius_N + labels_N / classes)
    points_NF = radius_N[:, None] * torch.stack([angle_N.cos(), angle_N.sin()], dim=1)
    noise_NF = torch.randn(samples, 2, generator=generator, dtype=torch.float64)
    return Source(tuple(map(str, range(classes))), Arrays(points_NF + noise * noise_NF, labels_N))


def _check_size(samples: int, classes: int, features: int) -> None:
    if classes > samples:
        raise RequestError(f"data.classes={classes}: more classes than data.samples={samples}")
    what = f"data.samples={samples}: with {features} features each, they need"
    check_memory(what, COPIES * samples * features * torch.float64.itemsize)
