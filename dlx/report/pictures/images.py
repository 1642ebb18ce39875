"""Training images before and after augmentation, as a grid.

Axes: M images, C channels, H height, W width.
"""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlx.report.charts import Chart, Spec
from dlx.report.design import Design
from dlx.report.load import StudyData
from dlx.report.pictures.reading import Found, read_first
from dlx.report.pictures.style import INK, chart, layer
from dlx.report.summary import Summary
from dlx.report.text import visible
from dlx.run.probes import IMAGES, Images, read_images

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = 40  # are looked at, since many share their augmentation
ROWS = 8  # are drawn
COLUMNS = 8
PIXELS = 84  # of a side, on the page
ORIGINAL = "original"
TITLE = "Training images before and after augmentation"


@dataclass(frozen=True)
class Grid:
    """`frame`: columns `row column image url`, each image a PNG as a data URI.

    `rows`: their headings from the top; `classes`: the class of each column, "" where rows show different
    images.
    """

    frame: "pd.DataFrame"
    rows: list[str]
    classes: list[str]
    clipped: bool
    more: bool


def images(study: StudyData, layout: Design, summary: Summary) -> list[Chart]:
    """Draw the originals and, below them, what each setting's augmentation makes of them."""
    found = read_first(study, layout, summary, IMAGES, read_images, SETTINGS)
    found = found.keeping(lambda read: read.before.size > 0)
    if not found.by_setting:
        return found.instead("images", TITLE)
    run = next(iter(next(iter(found.by_setting.values()))))
    names = study.runs["classes"].to_dict()[run]
    grid = arrange(found, names if isinstance(names, list) else [])
    if grid.rows == [ORIGINAL]:
        sentences = ["No setting changes them"]
    else:
        sentences = [
            "Below the originals, one draw of each augmentation; a setting that changes nothing has no row"
        ]
    if grid.clipped:
        sentences.append("Values beyond the originals' range are shown as its ends")
    if grid.more:
        sentences.append(f"The first {ROWS} rows")
    if found.damaged:
        sentences.append(found.damage)
    return [Chart("images", TITLE, ". ".join(sentences) + ".", wall(grid), wide=True)]


def arrange(found: Found[Images], names: list[object]) -> Grid:
    """Put every set of originals in a row and each different outcome in a row below it.

    Grey levels run from the smallest to the largest value of the originals.
    """
    import pandas as pd

    drawn: list[tuple[str, NDArray[np.floating], NDArray[np.integer]]] = []
    low = min(float(read.before.min()) for runs in found.by_setting.values() for read in runs.values())
    high = max(float(read.before.max()) for runs in found.by_setting.values() for read in runs.values())
    clipped = False
    for label, runs in found.by_setting.items():
        read = next(iter(runs.values()))
        for heading, pictures in ((ORIGINAL, read.before), (label, read.after)):
            if not any(np.array_equal(pictures, other) for _, other, _ in drawn):
                drawn.append((heading, pictures, read.labels))
                clipped |= bool(pictures.min() < low or pictures.max() > high)
    shown = drawn[:ROWS]
    same = all(np.array_equal(labels, shown[0][2]) for _, _, labels in shown)
    rows = [
        (row, column, _data_uri(pictures[column], low, high))
        for row, (_, pictures, _) in enumerate(shown)
        for column in range(min(COLUMNS, len(pictures)))
    ]
    classes = [_name(names, int(number)) if same else "" for number in shown[0][2][:COLUMNS]]
    frame = pd.DataFrame(rows, columns=["row", "column", "url"])
    return Grid(frame, [heading for heading, _, _ in shown], classes, clipped, len(drawn) > ROWS)


def _name(names: list[object], number: int) -> str:
    return visible(str(names[number])) if 0 <= number < len(names) else str(number)


def _data_uri(picture_CHW: NDArray[np.floating], low: float, high: float) -> str:
    """Return a PNG: grey for one channel, colour for three, else the first channel as grey.

    Small images are enlarged here by whole pixels, since a renderer would blur them.
    """
    from PIL import Image

    scaled = (np.nan_to_num(picture_CHW.astype(np.float64)) - low) / ((high - low) or 1.0)
    bytes_CHW = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
    array = bytes_CHW.transpose(1, 2, 0) if len(bytes_CHW) == 3 else bytes_CHW[0]
    image = Image.fromarray(np.ascontiguousarray(array))
    side = max(image.size)
    times = -(-2 * PIXELS // side)
    if side >= 2 * PIXELS:
        image.thumbnail((2 * PIXELS, 2 * PIXELS))
    else:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def wall(grid: Grid) -> Spec:
    """Draw the rows below each other, headings on the left, classes above."""
    headings = {"field": "heading", "type": "nominal"}
    columns = len(grid.classes)
    frame = grid.frame.assign(
        x=grid.frame["column"] + 0.5,
        y=grid.frame["row"] + 0.5,
        heading=[grid.rows[row] for row in grid.frame["row"]],
        name=[grid.classes[column] for column in grid.frame["column"]],
    )
    x = {"field": "x", "type": "quantitative", "scale": {"domain": [0, columns], "nice": False}, "axis": None}
    y_scale = {"domain": [0, len(grid.rows)], "nice": False, "reverse": True}
    y = {"field": "y", "type": "quantitative", "scale": y_scale, "axis": None}
    first, top = frame[frame["column"] == 0], frame[frame["row"] == 0]
    text = {"type": "text", "fontSize": 11, "color": INK}
    side = PIXELS - 6
    pictures = {"type": "image", "width": side, "height": side}
    left = text | {"align": "right", "dx": -8, "limit": 200, "fontWeight": "bold"}
    layers = [
        layer(frame, pictures, {"x": x, "y": y, "url": {"field": "url", "type": "nominal"}}),
        layer(first, left, {"x": {"value": 0}, "y": y, "text": headings}),
        layer(
            top,
            text | {"dy": -10, "limit": PIXELS - 4},
            {"x": x, "y": {"value": 0}, "text": headings | {"field": "name"}},
        ),
    ]
    size = {"width": columns * PIXELS, "height": len(grid.rows) * PIXELS}
    return chart("training images before and after augmentation", size | {"layer": layers})
