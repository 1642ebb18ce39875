"""Where a logarithmic axis has its ticks: the renderer by itself draws nine lines a decade."""

import math


def log_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten between two positive numbers, thinned to about four.

    If there are fewer than three, their doubles and fives too.
    """
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [10.0**exponent for exponent in exponents]
    inside = [power for power in powers if low <= power <= high]
    if len(inside) > 2:
        return inside[:: len(inside) // 5 + 1]
    return [tick for power in powers for tick in (power, 2 * power, 5 * power) if low <= tick <= high]
