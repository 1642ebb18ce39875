"""What the best setting takes for what: samples of each class by the class that was predicted.

Axes: C classes, true by predicted.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.classes import class_names, classifying, predicted
from dlx.report.pictures.reading import Found, read_first
from dlx.report.pictures.style import INK, SHADE, chart, layer
from dlx.report.summary import Summary
from dlx.report.text import write_count
from dlx.run.paths import PREDICTIONS
from dlx.run.predictions import Predictions, read_predictions

if TYPE_CHECKING:
    import pandas as pd

CLASSES = 20
LIGHT = 30.0  # per cent of a row from which a cell is dark enough for white text


@dataclass(frozen=True)
class Matrix:
    """`cells`: columns `true predicted count share text dark`, one row for each pair of classes that occurs.

    `share`: per cent of the samples of the true class. `classes`: those drawn, in the data's order.
    `total`: how many the data have. `samples`: of all runs together, with all classes.
    """

    cells: "pd.DataFrame"
    classes: list[str]
    total: int
    samples: int


def confusion(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw the matrix of the first setting in the table, summed over its runs."""
    found = read_first(classifying(study), layout, summary, PREDICTIONS, read_predictions, 1)
    if not found.by_setting:
        return []  # the picture of the classes names what is damaged
    matrix = tally(found, class_names(study, found))
    (label,) = found.by_setting
    runs = write_count(len(found.by_setting[label]), "run")
    sentences = [f"Validation samples at the last epoch of {runs} with {label}, {matrix.samples:,} in all"]
    sentences.append("Cells are per cent of the true class, those below half a per cent left blank")
    if matrix.total > len(matrix.classes):
        sentences.append(f"The {len(matrix.classes)} of {matrix.total} classes that are most often mistaken")
    if found.damaged:
        sentences.append(found.damage)
    return [Chart("confusion", "What is taken for what", ". ".join(sentences) + ".", heat(matrix), wide=True)]


def tally(found: Found[Predictions], names: list[str]) -> Matrix:
    """Count pairs of true and predicted class over all runs; of many classes keep the worst twenty."""
    import pandas as pd

    count_CC = np.zeros((len(names), len(names)), dtype=np.int64)
    for runs in found.by_setting.values():
        for read in runs.values():
            np.add.at(count_CC, (read.labels, predicted(read)), 1)
    total_C = count_CC.sum(axis=1)
    share_CC = 100 * count_CC / np.maximum(1, total_C)[:, None]
    seen = np.flatnonzero(total_C + count_CC.sum(axis=0))
    worst = sorted(seen, key=lambda place: (share_CC[place, place], place))[:CLASSES]
    kept = sorted(worst)
    rows = [
        (names[true], names[guess], int(count_CC[true, guess]), float(share_CC[true, guess]))
        for true in kept
        for guess in kept
        if count_CC[true, guess]
    ]
    cells = pd.DataFrame(rows, columns=["true", "predicted", "count", "share"])
    cells["text"] = [f"{share:.0f}" if share >= 0.5 else "" for share in cells["share"]]
    cells["dark"] = cells["share"] >= LIGHT
    return Matrix(cells, [names[place] for place in kept], len(seen), int(total_C.sum()))


def heat(matrix: Matrix) -> Spec:
    """Shade each cell by its share of the row, on a square-root scale so that a few per cent show."""
    size = 440
    axis = {"domain": False, "ticks": False, "labelLimit": 90, "labelPadding": 4}
    place = {"type": "nominal", "sort": matrix.classes, "scale": {"domain": matrix.classes, "padding": 0.04}}
    x = place | {"field": "predicted", "axis": axis | {"title": "predicted class", "labelAngle": -40}}
    y = place | {"field": "true", "axis": axis | {"title": "true class"}}
    opacity = {
        "field": "share",
        "type": "quantitative",
        "scale": {"type": "sqrt", "domain": [0, 100], "range": [0.04, 1]},
        "legend": None,
    }
    layers = [layer(matrix.cells, {"type": "rect", "color": SHADE}, {"x": x, "y": y, "opacity": opacity})]
    font = 11 if len(matrix.classes) <= 12 else 8
    for dark, ink in ((True, "#ffffff"), (False, INK)):
        part = matrix.cells[matrix.cells["dark"] == dark]
        text = {"type": "text", "color": ink, "fontSize": font}
        layers.append(layer(part, text, {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}}))
    body = {"width": size, "height": size, "layer": [each for each in layers if each["data"]["values"]]}
    return chart("true against predicted classes, in per cent of the true class", body)
