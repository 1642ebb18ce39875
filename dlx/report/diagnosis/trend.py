"""Level, noise and trend of learning curves. Axes: R runs, E epochs, W a window of epochs, T breakpoints.

Levels and noise are medians, so that spikes do not hide in the noise that they cause.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SHORTEST = 10  # epochs; with fewer, trend and noise cannot be told apart
TO_DEVIATION = 1.4826  # median absolute deviation -> standard deviation of a normal variable


def epoch_noise(curve_RE: Floats) -> Floats:
    """Return each curve's epoch-to-epoch standard deviation [R], apart from its smooth trend.

    Second differences of a smooth trend nearly vanish; those of white noise have six times its variance.
    """
    second_RE = np.abs(np.diff(curve_RE, n=2, axis=1))
    return np.asarray(TO_DEVIATION / np.sqrt(6.0) * np.median(second_RE, axis=1), dtype=np.float64)


def local_noise(curve_RE: Floats, half: int = 15) -> Floats:
    """Return the noise around each epoch [R, E], and at least that of the whole curve.

    A curve may be noisier before it settles, so each epoch is compared with its own neighbours.
    """
    second_RE = np.pad(np.abs(np.diff(curve_RE, n=2, axis=1)), ((0, 0), (1, 1)), mode="edge")
    around_RE = TO_DEVIATION / np.sqrt(6.0) * running_median(second_RE, half)
    return np.asarray(np.fmax(around_RE, epoch_noise(curve_RE)[:, None]), dtype=np.float64)


def running_median(curve_RE: Floats, half: int) -> Floats:
    """Return the median over 2 half + 1 epochs around each; the curve is mirrored beyond its ends."""
    return np.asarray(np.median(_windows(curve_RE, half, "reflect"), axis=2), dtype=np.float64)


def running_mean(curve_RE: Floats, half: int) -> Floats:
    """Return the mean over 2 half + 1 epochs around each; the end values are repeated beyond the ends."""
    return np.asarray(_windows(curve_RE, half, "edge").mean(axis=2), dtype=np.float64)


def _windows(curve_RE: Floats, half: int, beyond: Literal["reflect", "edge"]) -> Floats:
    padded_RE = np.pad(curve_RE, ((0, 0), (half, half)), mode=beyond)
    return np.lib.stride_tricks.sliding_window_view(padded_RE, 2 * half + 1, axis=1)


def end_window(epochs: int) -> int:
    """Return how many epochs a trend at the end is fitted to: a fifth, at least ten and at most half."""
    return min(max(10, -(-epochs // 5)), epochs // 2)


def end_epochs(epochs: int) -> int:
    """Return how many epochs `end_level` covers: the last tenth, at least three."""
    return max(3, epochs // 10)


def end_level(curve_RE: Floats) -> Floats:
    """Return the median over the last `end_epochs` [R]."""
    return np.asarray(np.median(curve_RE[:, -end_epochs(curve_RE.shape[1]) :], axis=1), dtype=np.float64)


def linear_change(curve_RE: Floats) -> Floats:
    """Return how much the least-squares line rises from the first epoch to the last [R]."""
    epochs = curve_RE.shape[1]
    centred_E = np.arange(epochs) - (epochs - 1) / 2
    slope_R = curve_RE @ centred_E / (centred_E @ centred_E)
    return np.asarray(slope_R * (epochs - 1), dtype=np.float64)


def linear_change_error(curve_RE: Floats, least: Floats | float = 0.0) -> Floats:
    """Return the standard error of `linear_change` [R], for a residual deviation of at least `least`.

    Residuals also show noise that is correlated from epoch to epoch, which `epoch_noise` misses.
    """
    epochs = curve_RE.shape[1]
    centred_E = np.arange(epochs) - (epochs - 1) / 2
    line_RE = curve_RE.mean(axis=1, keepdims=True) + np.outer(curve_RE @ centred_E, centred_E) / (
        centred_E @ centred_E
    )
    residual_R = np.sqrt(((curve_RE - line_RE) ** 2).sum(axis=1) / max(1, epochs - 2))
    deviation_R = np.fmax(residual_R, least)
    return np.asarray(deviation_R * (epochs - 1) / np.sqrt(centred_E @ centred_E), dtype=np.float64)


def line_change(curve_RE: Floats, inside_RE: Flags, least_R: Floats) -> tuple[Floats, Floats]:
    """Return the `linear_change` over the epochs inside [R], and its error; see `linear_change_error`."""
    count_R = np.fmax(1, inside_RE.sum(axis=1))

    def centre(values_RE: Floats) -> Floats:
        mean_R = np.where(inside_RE, values_RE, 0.0).sum(axis=1) / count_R
        return np.where(inside_RE, values_RE - mean_R[:, None], 0.0)

    epoch_RE, values_RE = centre(np.arange(curve_RE.shape[1], dtype=np.float64)[None]), centre(curve_RE)
    square_R = np.fmax((epoch_RE**2).sum(axis=1), 1e-300)
    slope_R = (epoch_RE * values_RE).sum(axis=1) / square_R
    residual_RE = values_RE - slope_R[:, None] * epoch_RE
    deviation_R = np.fmax(np.sqrt((residual_RE**2).sum(axis=1) / np.fmax(1, count_R - 2)), least_R)
    return slope_R * (count_R - 1), deviation_R * (count_R - 1) / np.sqrt(square_R)


def median_around(curve_RE: Floats, centre_R: NDArray[np.int64], width: int) -> Floats:
    """Return the median over `width` epochs around each run's epoch of index `centre_R` [R]."""
    begin_R = np.clip(centre_R - width // 2, 0, curve_RE.shape[1] - width)
    columns_RW = begin_R[:, None] + np.arange(width)
    return np.asarray(np.median(np.take_along_axis(curve_RE, columns_RW, axis=1), axis=1), dtype=np.float64)


def find_breakpoint(curve_RE: Floats, inside_RE: Flags) -> NDArray[np.int64]:
    """Return the index of the breakpoint with which a line that is flat and then rises fits best [R].

    Least squares over the epochs in `inside_RE`. For every breakpoint T the regressor is max(0, epoch - T);
    its sums are computed from sums over the epochs after T.
    """
    epoch_E = np.arange(curve_RE.shape[1], dtype=np.float64)
    ones_RE = inside_RE.astype(np.float64)
    mean_R = (ones_RE * curve_RE).sum(axis=1) / np.fmax(1, ones_RE.sum(axis=1))
    centred_RE = ones_RE * (curve_RE - mean_R[:, None])

    def sum_after(values_RE: Floats) -> Floats:
        return np.asarray(np.cumsum(values_RE[:, ::-1], axis=1)[:, ::-1], dtype=np.float64)

    count_RT, first_RT = sum_after(ones_RE), sum_after(epoch_E * ones_RE)
    sum_RT = first_RT - epoch_E * count_RT
    square_RT = sum_after(epoch_E**2 * ones_RE) - 2 * epoch_E * first_RT + epoch_E**2 * count_RT
    product_RT = sum_after(epoch_E * centred_RE) - epoch_E * sum_after(centred_RE)
    spread_RT = square_RT - sum_RT**2 / np.fmax(1, count_RT[:, :1])
    climbs_RT = inside_RE & (spread_RT > 1e-9) & (product_RT > 0)
    explained_RT = np.where(climbs_RT, product_RT**2 / np.fmax(spread_RT, 1e-9), -1.0)
    return np.asarray(explained_RT.argmax(axis=1))
