"""The list of all plots, in the order of the page.

A plot is a function that takes the analysis and returns charts, or none if the runs have no data for it. To
add one, write it in a file of this folder and name it here.
"""

from collections.abc import Callable

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart
from dlx.report.plots.classes import accuracy_by_class, class_curves, confusion
from dlx.report.plots.differences import differences
from dlx.report.plots.effects import effects
from dlx.report.plots.images import augmented_images
from dlx.report.plots.inside_net import (
    gradients_and_weights,
    layer_outputs,
    logit_curves,
    logit_histograms,
)
from dlx.report.plots.learning_curves import curves_by_epoch, generalisation_gap, loss_by_step
from dlx.report.plots.speed import curves_by_cost, time_to_accuracy
from dlx.report.plots.sweep_curves import results_by_value
from dlx.report.plots.sweep_maps import heat_maps, parallel_coordinates
from dlx.surface.plot import surface

Plot = Callable[[Analysis], list[Chart]]

SECTIONS: dict[str, tuple[Plot, ...]] = {
    "Curves": (surface, curves_by_epoch, curves_by_cost, time_to_accuracy, generalisation_gap, loss_by_step),
    "Differences": (effects, differences),
    "Swept values": (results_by_value, heat_maps, parallel_coordinates),
    "Classes": (accuracy_by_class, class_curves, confusion),
    "Inside the net": (logit_curves, logit_histograms, layer_outputs, gradients_and_weights),
    "Images": (augmented_images,),
}


def gallery(analysis: Analysis, begin: Callable[[Chart], object] = lambda _: None) -> dict[str, list[Chart]]:
    """Return the charts by section: those that have charts, and the first in any case.

    Narrow charts come first in a section, because two of them share a row of the page. `begin` is called with
    each chart at once, so that it can be drawn while the next ones are computed.
    """
    sections: dict[str, list[Chart]] = {}
    for title, plots in SECTIONS.items():
        charts = []
        for plot in plots:
            charts += (made := plot(analysis))
            for chart in made:
                begin(chart)
        if charts or not sections:
            sections[title] = sorted(charts, key=lambda chart: chart.wide)
    return sections
