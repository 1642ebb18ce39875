"""How values, numbers and names are written: the same in the terminal, in Markdown and on the page."""

import json
import math
from collections.abc import Sequence

from dlx.metrics.catalogue import is_share

MISSING = "\N{EN DASH}"
NAMED = 3  # labels in a sentence; the rest are counted


def visible(text: str) -> str:
    """Return `text` with characters that move a cursor, or hide or reverse text, written as escapes.

    Names of folders and settings come from the user: they may hold newlines, terminal escape codes,
    right-to-left marks or bytes that are not UTF-8.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def write_value(value: object) -> str:
    """Write a setting's value as it is typed on the command line; null and missing are a dash."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple | dict):
        return visible(json.dumps(value, ensure_ascii=False))
    return visible(str(value))


def write_metric(name: str, value: float) -> str:
    """Write an accuracy or another share with four decimals, a loss with about four digits.

    500 images resolve an accuracy to 0.002, 50,000 to 0.00002.
    """
    if not math.isfinite(value):
        return MISSING
    if is_share(name) or 0.1 <= abs(value) < 10:
        return f"{value:.4f}"
    return f"{value:.3e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"


def write_end(name: str, value: float) -> str:
    """Write one end of the interval of a mean; a share stays within 0 and 1."""
    return write_metric(name, min(1.0, max(0.0, value)) if is_share(name) else value)


def write_interval(name: str, low: float, high: float) -> str:
    """Write the interval of a difference; a dash if there is none."""
    return f"{write_metric(name, low)} to {write_metric(name, high)}" if math.isfinite(low) else MISSING


def write_difference(name: str, *values: float) -> str:
    """Write a difference in prose, or both ends of its interval: points for shares, "1.2 points".

    Tenths of a point from one point on, hundredths below.
    """
    if not all(math.isfinite(value) for value in values):
        return MISSING
    if not is_share(name):
        return " to ".join(f"{value:.2g}" for value in values)
    points = [100 * value for value in values]
    largest = max(abs(value) for value in points)
    digits = 1 if largest >= 1 else 2
    written = [f"{value:.{digits}f}" for value in points]
    return f"{' to '.join(written)} point{'' if written == ['1'] or written == ['1.0'] else 's'}"


def write_p(p: float) -> str:
    """Write a p value with two digits, as in a sentence: "p = 0.031", or "p < 0.001"."""
    if not math.isfinite(p):
        return MISSING
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def write_seconds(value: float) -> str:
    """Write a duration in seconds, with decimals below 100."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def write_range(low: float, high: float) -> str:
    """Write a range of counts (epochs): one number if both ends are equal."""
    if not math.isfinite(low):
        return MISSING
    return f"{low:.0f}" if low == high else f"{low:.0f}{MISSING}{high:.0f}"


def write_count(count: int, noun: str) -> str:
    """Write a count with its noun: "1 run", "3 runs"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def write_names(labels: Sequence[str]) -> str:
    """Name the first few labels and count the others."""
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return "; ".join(labels[:NAMED]) + more
