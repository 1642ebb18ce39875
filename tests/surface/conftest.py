"""Surface runs are read by the report: the same studies on disk as in its tests."""

from tests.report.conftest import study

__all__ = ["study"]
