"""The values of one swept word: how many, which, and in which order; counted before they are made."""

import itertools
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep

from dlx.errors import RequestError

MAX_RUNS = 10_000  # composed before the first one trains: 12 minutes, where every run makes other choices


def words_of(override: Override) -> list[str]:
    """Return the words for each value of an override: one, if it is not swept.

    Raises RequestError if there are none, or more than a request may have runs.
    """
    key = override.get_key_element()
    if override.is_delete():
        return [override.input_line or ""]
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise RequestError(
            f"{override.input_line}: a grid needs single values, such as {key}=1,2 or range(1,3)"
        )
    _check_count(override)
    found = [f"{key}={value}" for value in itertools.islice(override.sweep_string_iterator(), MAX_RUNS + 1)]
    if not found:
        raise RequestError(f"{override.input_line}: there is no such value")
    return found


def _check_count(override: Override) -> None:
    sweep = override.value()
    if not isinstance(sweep, RangeSweep):
        return
    try:
        count = count_of(sweep)
    except (ArithmeticError, ValueError):
        word = override.input_line
        raise RequestError(f"{word}: a range needs finite numbers and a step other than 0") from None
    if count > MAX_RUNS:
        raise too_many(override.input_line or "")


def too_many(what: str) -> RequestError:
    """Build the error for more runs than a request may have."""
    return RequestError(f"{what}: that is more than {MAX_RUNS:,} runs, which is the most for one request")


def count_of(sweep: RangeSweep) -> int:
    """Return how many values a range has; raises ArithmeticError or ValueError if that is no number."""
    start, stop, step = (Decimal(str(end)) for end in (sweep.start, sweep.stop, sweep.step))
    return max(0, math.ceil((stop - start) / step))


def sort_exactly(sort: Callable[..., Any]) -> Callable[..., Any]:
    """Return Hydra's function `sort`, but with ranges turned around exactly.

    Hydra 1.3 moves both ends of a range by one step, which is right only if the last value is a step before
    its stop: sort(range(4,-1,-2)) became 1, 3, 5.
    """

    def sorted_sweep(*arguments: Any, **named: Any) -> Any:
        given = named.get("sweep") or (arguments[0] if len(arguments) == 1 else None)
        if not isinstance(given, RangeSweep):
            return sort(*arguments, **named)
        descending = bool(named.get("reverse"))
        if (given.step < 0) == descending or _uncountable(given):
            return given
        return ChoiceSweep(tags=given.tags, list=list(given.range())[::-1])

    return sorted_sweep


def _uncountable(sweep: RangeSweep) -> bool:
    """Return whether a range has more values than a request may have runs, or none that can be counted."""
    try:
        return count_of(sweep) > MAX_RUNS
    except (ArithmeticError, ValueError):
        return True
