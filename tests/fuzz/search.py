"""Searches for inputs that dlx answers badly, offline, in the current folder."""

import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky, FlakyFailure, HypothesisWarning, StopTest

from tests.fuzz.answer import Hang
from tests.fuzz.properties import PROPERTIES, Property


@contextmanager
def offline() -> Iterator[None]:
    """Let nothing be downloaded, and cache below the current folder."""

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("the network is unreachable")

    import dlx.build
    import dlx.engine.evaluation
    import dlx.report.write  # noqa: F401 - all that is large, before anybody measures memory

    with (
        mock.patch.dict(os.environ, {"DLX_CACHE": "cache", "COLUMNS": "200"}),
        mock.patch("pooch.retrieve", unreachable),
        mock.patch("pooch.HTTPDownloader.__call__", unreachable),
    ):
        yield


def search(
    one: Property,
    examples: int,
    seed: int | None = None,
    known: frozenset[str] = frozenset(),
    note: Callable[[BaseException], object] = str,
) -> int:
    """Check so many examples, always the same without a seed; return how many there were.

    Raises what the check raises for the smallest example found, whose signature is not `known`.
    """
    count = 0
    hung = False

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=seed is None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(one.strategy)
    def check(case: object) -> None:
        nonlocal count, hung
        count += 1
        if hung:  # the smallest example would take an hour to find
            return
        try:
            one.check(case)
        except (StopTest, Flaky):
            raise
        except Exception as error:
            hung = isinstance(error.__cause__, Hang)
            if signature(error) not in known:
                note(error)
                raise

    with warnings.catch_warnings(action="ignore", category=HypothesisWarning):  # of a large example's repr
        (check if seed is None else hypothesis.seed(seed)(check))()
    return count


def signature(error: BaseException) -> str:
    """Name a finding by the type of the exception and the line of dlx where it arose."""
    error = _own(error)
    while error.__cause__ is not None and type(error).__name__ == "Finding":
        error = error.__cause__
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    own = [frame for frame in frames if "/dlx/" in frame]
    text = str(error) if not own else ""
    return f"{type(error).__name__} {own[-1] if own else ''} {text[-60:]}".strip()


def search_for(
    minutes: float, seed: int, names: list[str], note: Callable[[BaseException], object]
) -> Iterator[tuple[str, int, BaseException | None]]:
    """Take turns at the properties; yield each one's name, its examples, and what was found."""
    end = time.monotonic() + 60 * minutes
    known: set[str] = set()
    batch = dict.fromkeys(names, 5)
    while time.monotonic() < end:
        for name in names:
            seed += 1
            one = PROPERTIES[name]
            began = time.monotonic()
            try:
                count = search(one, batch[name], seed, frozenset(known), note)
                found = None
            except Exception as error:  # noqa: BLE001 - a finding may be anything
                found, count = error, batch[name]
                known.add(signature(error))
            yield name, count, found
            if found is None:  # about ten seconds a turn
                pace = (time.monotonic() - began) / max(1, count)
                batch[name] = max(5, min(1000, int(10 * one.weight / max(1e-4, pace))))
            if time.monotonic() > end:
                return


def describe(error: BaseException) -> str:
    """Return the smallest example, the chain of exceptions, and the lines of dlx and of the check."""
    lines = ["\n".join(getattr(error, "__notes__", []))[:1500]]
    each: BaseException | None = _own(error)
    while each is not None:
        lines.append(f"{type(each).__name__}: {str(each)[:1500]}")
        frames = traceback.extract_tb(each.__traceback__)
        lines += [
            f"  {f.filename}:{f.lineno} {f.line}" for f in frames if "/site-packages/" not in f.filename
        ][-8:]
        each = each.__cause__
    return "\n".join(lines)


def _own(error: BaseException) -> BaseException:
    """Return what was raised by a check that does not raise it every time."""
    return error.exceptions[0] if isinstance(error, FlakyFailure) else error
