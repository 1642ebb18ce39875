"""Which pictures there are, in the order of the page: the one place that knows them all.

A picture is a function of the study, its layout and its summary. It reads what it needs, computes a frame,
and returns charts: none, if the runs hold nothing for it.
"""

from collections.abc import Callable, Iterable

from dlx.report.charts import Chart
from dlx.report.comparison import Comparisons
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.classes import classes
from dlx.report.pictures.confidence import confidence
from dlx.report.pictures.confusion import confusion
from dlx.report.pictures.differences import differences
from dlx.report.pictures.epochs import epochs
from dlx.report.pictures.gap import gap
from dlx.report.pictures.heat import heat
from dlx.report.pictures.images import images
from dlx.report.pictures.layers import layers
from dlx.report.pictures.logits import logits
from dlx.report.pictures.magnitudes import magnitudes
from dlx.report.pictures.pace import pace
from dlx.report.pictures.parallel import parallel
from dlx.report.pictures.steps import steps
from dlx.report.pictures.surface import surface
from dlx.report.pictures.swept import swept
from dlx.report.pictures.time_to_accuracy import time_to_accuracy
from dlx.report.summary import Summary

Picture = Callable[[StudyData, Design, Summary], Iterable[Chart]]

SECTIONS: tuple[tuple[str, tuple[Picture, ...]], ...] = (
    ("Curves", (surface, epochs, pace, time_to_accuracy, gap, steps)),
    ("Swept values", (swept, heat, parallel)),
    ("Classes", (classes, confusion)),
    ("Inside the net", (confidence, logits, layers, magnitudes)),
    ("Images", (images,)),
)


def gallery(
    study: StudyData, layout: Design, summary: Summary, comparisons: Comparisons | None = None
) -> dict[str, list[Chart]]:
    """Return the charts of every section that has any, and of the first section in any case.

    `comparisons` of settings are not the study's own, but an estimate: their picture is a section by itself.

    Within a section narrow charts come first, since two of them share a row of the page.
    """
    sections: dict[str, list[Chart]] = {}
    for heading, pictures in SECTIONS:
        charts = [chart for picture in pictures for chart in picture(study, layout, summary)]
        if charts or not sections:
            sections[heading] = sorted(charts, key=lambda chart: chart.wide)
        if heading == SECTIONS[0][0] and (pairs := differences(layout, summary, comparisons)):
            sections["Differences"] = pairs
    return sections
