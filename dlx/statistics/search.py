"""The smallest count from which on something holds."""

from collections.abc import Callable

MOST = 10_000  # seeds: nobody runs more


def smallest(holds: Callable[[int], bool], least: int, most: int = MOST) -> int | None:
    """Return the smallest count from `least` to `most` that holds, for what holds from there on; or None."""
    if not holds(most):
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
