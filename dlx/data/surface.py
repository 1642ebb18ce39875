"""One sample that carries nothing: what is trained by it is a point on a surface (loss=surface)."""

from pathlib import Path

import torch

from dlx.data.source import Arrays, Source, sources


@sources.register("surface")
def surface(root: Path) -> Source:  # noqa: ARG001 - nothing is read
    """Return the sample [1, 1], a 0, for training and again for validation; the outputs are x and y.

    Validation follows the step, so epoch t's validation loss is f after t steps.
    """
    sample = Arrays(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.long))
    return Source(("x", "y"), train=sample, validation=sample)
