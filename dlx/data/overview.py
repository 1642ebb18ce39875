"""What a data set holds: classes and their counts by split, values, and samples that are there twice.

Axes: N samples of a split, K classes, B of a block.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dlx.data.on_disk import in_memory
from dlx.data.source import Arrays

BLOCK = 1024  # samples in memory at a time


@dataclass(frozen=True)
class Overview:
    """`splits` by name, those without samples left out. `low` and `high`: of the values of all inputs.

    `repeated`: how many samples of a split have the same bytes as one of the training split (for "train": as
    an earlier one of it); `relabelled`: how many of these have another label than it.
    """

    classes: tuple[str, ...]
    splits: dict[str, Arrays]
    low: float
    high: float
    repeated: dict[str, int]
    relabelled: int

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) or (F,)."""
        return tuple(self.splits["train"].inputs.shape[1:])

    def counts(self, split: str) -> list[int]:
        """Return the number of samples of each class, [K]."""
        return torch.bincount(self.splits[split].labels, minlength=len(self.classes)).tolist()


def look_over(classes: tuple[str, ...], train: Arrays, val: Arrays, test: Arrays) -> Overview:
    """Read all samples of the splits once, and return what they hold."""
    splits = {name: part for name, part in (("train", train), ("val", val), ("test", test)) if len(part)}
    ranges: list[Tensor] = []
    seen: dict[bytes, object] = {}
    repeated: Counter[str] = Counter()
    relabelled = 0
    for name, part in splits.items():
        for block, labels in _blocks(part):
            ranges.append(torch.stack(block.aminmax()).double())
            for sample, label in zip(block.numpy(), labels, strict=True):
                content = hashlib.blake2b(sample.tobytes(), digest_size=16).digest()
                if content in seen:
                    repeated[name] += 1
                    relabelled += seen[content] != label
                elif name == "train":
                    seen[content] = label
    low, high = torch.stack(ranges).aminmax()
    return Overview(classes, splits, float(low), float(high), dict(repeated), relabelled)


def _blocks(part: Arrays) -> Iterator[tuple[Tensor, list[object]]]:
    for start in range(0, len(part), BLOCK):
        block = in_memory(part.inputs[start : start + BLOCK])
        yield block.contiguous(), part.labels[start : start + BLOCK].tolist()
