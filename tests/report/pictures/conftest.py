"""Studies as pictures take them, and files of probes beside their runs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dlx.report.charts import Chart
from dlx.report.design import Design, find_design
from dlx.report.load import StudyData, load_study
from dlx.report.summary import Summary, summarise
from dlx.run.table import TableWriter

Loaded = tuple[StudyData, Design, Summary]


@pytest.fixture
def loaded(study: Any) -> Callable[[], Loaded]:
    """Return a function that reads the study as it lies there."""

    def read() -> Loaded:
        read = load_study([study.folder])
        layout = find_design(read.settings)
        return read, layout, summarise(read, layout)

    return read


@pytest.fixture
def drawn(loaded: Callable[[], Loaded]) -> Callable[[Callable[..., list[Chart]]], dict[str, Chart]]:
    """Return a function that draws a picture and holds every chart of it to altair's schema."""
    altair = pytest.importorskip("altair")

    def draw(picture: Callable[..., list[Chart]]) -> dict[str, Chart]:
        charts = {chart.name: chart for chart in picture(*loaded())}
        for chart in charts.values():
            if chart.spec is not None:
                altair.Chart.from_dict(chart.spec, validate=True)
        return charts

    return draw


@pytest.fixture(scope="session")
def write() -> Callable[[Path, Sequence[str], Iterable[Sequence[object]]], None]:
    """Return a function that writes one of a run's tables."""

    def table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        TableWriter(path, columns).append(rows)

    return table
