"""The data a run trains on: three splits, resident on the device, whose batches are index slices.

Axes: N samples of a split, B of a batch.
"""

from dataclasses import dataclass

from torch import Tensor

from dlx.data.standardise import Standardise


@dataclass(frozen=True)
class Split:
    """One split. `inputs` [N, ...] are standardised already, or raw with `standardise` to do it by batch."""

    inputs: Tensor
    labels: Tensor  # [N], int64
    standardise: Standardise | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs [B, ...] (floating, standardised) and labels [B] at these positions."""
        return self.to_float(self.inputs.index_select(0, index_B)), self.labels.index_select(0, index_B)

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return inputs and labels of consecutive samples; a copy, which a model may change in place."""
        return self.to_float(self.inputs[start:stop].clone()), self.labels[start:stop]

    def to_float(self, inputs: Tensor) -> Tensor:
        """Standardise raw inputs; standardised ones pass through."""
        return inputs if self.standardise is None else self.standardise(inputs)


@dataclass(frozen=True)
class Dataset:
    """What `load` returns; batches of every split have been through `standardise`."""

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    standardise: Standardise | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) or (F,)."""
        return tuple(self.train.inputs.shape[1:])

    def stored_unit(self, inputs: Tensor) -> Tensor:
        """Return a batch's inputs [B, ...] in the unit of the data set's files, but for rounding."""
        return inputs if self.standardise is None else self.standardise.undo(inputs)
