"""Fixtures: the analysis of a study, validated charts, and the tables of probes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dlx.report.analysis import Analysis, Options, analyse
from dlx.report.charts import Chart
from dlx.report.load import load_study
from dlx.run.formats import TableWriter

Plot = Callable[[Analysis], list[Chart]]


@pytest.fixture
def analysed(study: Any) -> Callable[[], Analysis]:
    """Return a function that reads and analyses the study as it is now."""
    return lambda: analyse(load_study([study.folder]), Options())


@pytest.fixture
def drawn(analysed: Callable[[], Analysis]) -> Callable[[Plot], dict[str, Chart]]:
    """Return a function that draws a plot and validates every chart of it against altair's schema."""
    altair = pytest.importorskip("altair")

    def draw(plot: Plot) -> dict[str, Chart]:
        charts = {chart.name: chart for chart in plot(analysed())}
        for chart in charts.values():
            if chart.spec is not None:
                altair.Root.validate(
                    chart.spec
                )  # Chart.from_dict builds objects as well: 1.6 s instead of 0.2
        return charts

    return draw


@pytest.fixture(scope="session")
def write() -> Callable[[Path, Sequence[str], Iterable[Sequence[object]]], None]:
    """Return a function that writes one of a run's tables."""

    def table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        TableWriter(path, columns).append(rows)

    return table
