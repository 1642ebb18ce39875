"""Frames whose texts may be any name that a file system holds."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def any_text() -> Iterator[None]:
    """Make pandas keep texts as Python does; also a decorator.

    Where pyarrow is installed, pandas would hand texts to it, and it refuses names with undecodable bytes.
    """
    import pandas as pd

    with pd.option_context("mode.string_storage", "python"):
        yield
