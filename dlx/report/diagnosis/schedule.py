"""What the learning rate did, so that a check knows which jumps and which plateaus it explains.

Axes: R runs, E epochs. `rate_RE` is the rate of each epoch's last step; runs that recorded none have ones.
"""

import numpy as np
from numpy.typing import NDArray

from dlx.report.diagnosis.trend import Flags, Floats

REACH = 10  # epochs after a rise of the rate in which a jump is expected
RISE = 1.25  # times its lowest value in the epochs before: the rate has risen
STEP = 0.7  # times the value before: the rate has dropped in one step
STEADY = 0.98  # times the value before: the rate has not changed, so that a cosine has no steps
CHANGED = 0.8  # lowest rate / highest: below it, the rate itself moves the curves


def just_rose(rate_RE: Floats) -> Flags:
    """Return whether the rate is above its lowest value in the REACH epochs before [R, E].

    True during a warm-up, after a restart and in the first half of a cycle.
    """
    padded_RE = np.pad(rate_RE, ((0, 0), (REACH, 0)), mode="edge")
    windows_REW = np.lib.stride_tricks.sliding_window_view(padded_RE, REACH + 1, axis=1)
    return np.asarray(rate_RE > RISE * windows_REW.min(axis=2), dtype=np.bool_)


def since_last_step(rate_RE: Floats) -> Flags:
    """Return the epochs after the last sudden drop of the rate; all of them if there is none [R, E]."""
    epochs = rate_RE.shape[1]
    begin_R = np.zeros(len(rate_RE), dtype=np.int64)
    if epochs > 2:
        steady_RE = rate_RE[:, 1:-1] >= STEADY * rate_RE[:, :-2]
        drop_RE = steady_RE & (rate_RE[:, 2:] <= STEP * rate_RE[:, 1:-1])
        begin_R = np.where(drop_RE.any(axis=1), epochs - drop_RE[:, ::-1].argmax(axis=1) - 1, 0)
    return np.asarray(np.arange(epochs) >= begin_R[:, None], dtype=np.bool_)


def changes(rate_RE: Floats, inside_RE: Flags) -> Flags:
    """Return whether the rate changes by more than a fifth within the epochs `inside_RE` [R]."""
    lowest_R = np.where(inside_RE, rate_RE, np.inf).min(axis=1)
    highest_R = np.where(inside_RE, rate_RE, -np.inf).max(axis=1)
    return np.asarray(lowest_R < CHANGED * highest_R, dtype=np.bool_)


def half_of_training(rate_RE: Floats) -> NDArray[np.int64]:
    """Return the index of the epoch in which the sum of the rates passes half of the whole sum [R].

    With a constant rate it is the middle epoch. Where the rate falls to zero it comes earlier, because the
    last epochs hardly move the weights.
    """
    sum_RE = np.cumsum(rate_RE, axis=1)
    return np.asarray((sum_RE < sum_RE[:, -1:] / 2).sum(axis=1))
