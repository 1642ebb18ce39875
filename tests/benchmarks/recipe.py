"""What one run of a comparison is, and what a contestant says of having trained it."""

import math
from dataclasses import dataclass, replace
from typing import Literal

TRAIN_SAMPLES, VAL_SAMPLES = 1000, 500


@dataclass(frozen=True)
class Recipe:
    """One run on 1000 + 500 images; the defaults are the setting that A3 to A6 of Fashion-MNIST share.

    `members`: how many seeds, from `seed` on, an ensemble trains at once.
    """

    net: Literal["mlp", "cnn", "own"] = "mlp"
    hidden: tuple[int, ...] = (128, 64)  # widths of an mlp's hidden layers, channels of a cnn's blocks
    norm: Literal["none", "batch"] = "none"  # after each hidden layer
    optimizer: Literal["sgd", "adam"] = "adam"
    lr: float = 1e-4
    batch_size: int = 32
    epochs: int = 150
    seed: int = 0
    members: int = 1
    noise: float = 0.0  # standard deviation, of pixels in [0, 1]
    shift: int = 0  # pixels, each direction, wrapping round
    flip: bool = False  # with probability 0.5

    @property
    def augments(self) -> bool:
        """Whether images are changed as they are drawn."""
        return bool(self.noise or self.shift or self.flip)

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.epochs * math.ceil(TRAIN_SAMPLES / self.batch_size)


@dataclass(frozen=True)
class Trained:
    """Seconds until the first epoch could begin, seconds of all epochs with their validation, and the last
    epoch's validation accuracy (None: nothing was learnt, as in the limit).
    """

    setup: float
    epochs: float
    accuracy: float | None


def shortened(recipe: Recipe, share: float) -> Recipe:
    """Return the same run with a share of its epochs, two at least (but never more than it has)."""
    return replace(recipe, epochs=min(recipe.epochs, max(2, round(recipe.epochs * share))))
