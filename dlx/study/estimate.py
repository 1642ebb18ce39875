"""Estimates how long runs will train, where nothing is measured: tells seconds from hours, sorts cohorts.

CPU time of one thread on two EPYC cores that others used too: 29 kinds of step, with the shipped nets at
several widths, on images of 8x8 to 32x32 in batches of 8 to 256. A step took 0.77 ms (mlp, width 64, digits)
to 242 ms (resnet, 3x32x32); the estimates are 0.48 to 1.2 times what was measured. Multiply-adds alone were
0.06 to 0.6 times: a convolution of small images costs its calls, BatchNorm and ReLU cost by the value.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlx.study.plan import Sketch

SECONDS_A_STEP = 6e-4  # of a net of a few layers, whatever their sizes
SECONDS_A_CONVOLUTION = 1e-3  # in a step, whatever its size
SECONDS_A_MULTIPLY_ADD = 6e-11  # of the forward pass, with both products of the backward pass
SECONDS_A_VALUE = 5e-9  # that a layer puts out, with its gradient


def estimate_seconds(sketches: "Sequence[Sketch]") -> float:
    """Return a rough estimate for runs that train together, which share their calls."""
    calls = max(
        sketch.steps * (SECONDS_A_STEP + SECONDS_A_CONVOLUTION * sketch.convolutions) for sketch in sketches
    )
    work = (
        sketch.steps * (SECONDS_A_MULTIPLY_ADD * sketch.multiply_adds + SECONDS_A_VALUE * sketch.values)
        for sketch in sketches
    )
    return calls + sum(work)
