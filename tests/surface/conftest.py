"""The report reads surface runs, so its tests' studies on disk are used here too."""

from tests.report.conftest import study

__all__ = ["study"]
