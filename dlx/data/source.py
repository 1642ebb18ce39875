"""What a data source hands over, and the registry of sources.

Axes: N samples, C channels, H height, W width, F features. Images are [N, C, H, W], flat data [N, F].
"""

from dataclasses import dataclass

from torch import Tensor

from dlx.registry import Registry


@dataclass(frozen=True)
class Arrays:
    """Samples in memory: `inputs` [N, C, H, W] or [N, F], uint8 or floating; `labels` [N], int64."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Source:
    """A data set as read. What it has no split of its own for is drawn from `train` (see split.py)."""

    classes: tuple[str, ...]
    train: Arrays
    validation: Arrays | None = None
    test: Arrays | None = None
    white: float | None = None  # the largest value a pixel can take: 255, 16; None if unknown


# A builder is called with `root: Path` and its own keys of the YAML.
sources: Registry[Source] = Registry("data", "dlx.data")
