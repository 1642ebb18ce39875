"""Training images before and after augmentation.

Axes: M images, C channels, H height, W width.
"""

import base64
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dlx.report.analysis import Analysis
from dlx.report.charts import Chart, Spec
from dlx.report.plots.run_files import RunFiles, read_first
from dlx.report.plots.style import INK, layer, layered, nominal, quantitative
from dlx.report.text import visible
from dlx.run.probes import IMAGES, Images, read_images

SETTINGS = 40  # more are read than drawn, because many share their augmentation
ROWS = 8  # drawn
COLUMNS = 8
PIXELS = 84  # side of an image on the page
ORIGINAL = "original"
AUGMENTED = "augmented"  # heading if all settings share their augmentation
TITLE = "Training images before and after augmentation"


@dataclass(frozen=True)
class ImageGrid:
    """`frame`: columns `row column url`, each image a PNG as a data URI.

    `rows`: their headings from the top. `classes`: of each column, or "" if rows show different images.
    `clipped`: whether any value lies beyond the originals' range. `more`: whether rows were left out.
    """

    frame: pd.DataFrame
    rows: list[str]
    classes: list[str]
    clipped: bool
    more: bool


def augmented_images(analysis: Analysis) -> list[Chart]:
    """Draw the originals and, below them, the same images after each setting's augmentation."""
    files = read_first(analysis, IMAGES, read_images, SETTINGS).keep(lambda read: read.before.size > 0)
    if not files.by_setting:
        return files.nothing_drawn("images", TITLE)
    run = next(iter(next(iter(files.by_setting.values()))))
    names = analysis.data.runs["classes"].to_dict()[run]
    grid = collect(files, names if isinstance(names, list) else [])
    if grid.rows == [ORIGINAL]:
        sentences = ["No setting changes them"]
    else:
        sentences = [
            "Below the originals, one random draw of each setting's augmentation",
            "Settings that change nothing have no row",
        ]
    if grid.clipped:
        sentences.append("Values beyond the originals' range are clipped to it")
    if grid.more:
        sentences.append(f"Only the first {ROWS} rows are drawn")
    if files.damaged:
        sentences.append(files.damage)
    return [Chart("images", TITLE, ". ".join(sentences) + ".", draw_grid(grid), wide=True)]


def collect(files: RunFiles[Images], names: list[object]) -> ImageGrid:
    """Collect a row for each set of originals, and one below it for each different augmented set.

    Grey levels range from the smallest to the largest value of the originals.
    """
    drawn: list[tuple[str, NDArray[np.floating], NDArray[np.integer]]] = []
    low = min(float(read.before.min()) for runs in files.by_setting.values() for read in runs.values())
    high = max(float(read.before.max()) for runs in files.by_setting.values() for read in runs.values())
    clipped = False
    firsts = {label: next(iter(runs.values())) for label, runs in files.by_setting.items()}
    for label, read in firsts.items():
        for heading, images in ((ORIGINAL, read.before), (label, read.after)):
            if not any(np.array_equal(images, other) for _, other, _ in drawn):
                drawn.append((heading, images, read.labels))
                clipped |= bool(images.min() < low or images.max() > high)
    shown = drawn[:ROWS]
    same = all(np.array_equal(labels, shown[0][2]) for _, _, labels in shown)
    rows = [
        (row, column, _data_uri(images[column], low, high))
        for row, (_, images, _) in enumerate(shown)
        for column in range(min(COLUMNS, len(images)))
    ]
    classes = [_name(names, int(number)) if same else "" for number in shown[0][2][:COLUMNS]]
    headings = [heading for heading, _, _ in shown]
    if len(drawn) == 2 and not any(np.array_equal(read.before, read.after) for read in firsts.values()):
        headings[1] = AUGMENTED
    frame = pd.DataFrame(rows, columns=["row", "column", "url"])
    return ImageGrid(frame, headings, classes, clipped, len(drawn) > ROWS)


def _name(names: list[object], number: int) -> str:
    return visible(str(names[number])) if 0 <= number < len(names) else str(number)


def _data_uri(image_CHW: NDArray[np.floating], low: float, high: float) -> str:
    """Return a PNG: grey for one channel, colour for three, otherwise the first channel as grey.

    Small images are enlarged by whole pixels, because a renderer would blur them.
    """
    from PIL import Image

    scaled = (np.nan_to_num(image_CHW.astype(np.float64)) - low) / ((high - low) or 1.0)
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


def draw_grid(grid: ImageGrid) -> Spec:
    """Draw the rows with their headings on the left and the classes above."""
    columns = len(grid.classes)
    frame = grid.frame.assign(
        x=grid.frame["column"] + 0.5,
        y=grid.frame["row"] + 0.5,
        heading=[grid.rows[row] for row in grid.frame["row"]],
        name=[grid.classes[column] for column in grid.frame["column"]],
    )
    x = quantitative("x", None, None, {"domain": [0, columns], "nice": False}) | {"axis": None}
    y_scale = {"domain": [0, len(grid.rows)], "nice": False, "reverse": True}
    y = quantitative("y", None, None, y_scale) | {"axis": None}
    first, top = frame[frame["column"] == 0], frame[frame["row"] == 0]
    text = {"type": "text", "fontSize": 11, "color": INK}
    left = text | {"align": "right", "dx": -8, "limit": 200, "fontWeight": "bold"}
    above = text | {"dy": -10, "limit": PIXELS - 4}
    image = {"type": "image", "width": PIXELS - 6, "height": PIXELS - 6}
    layers = [
        layer(frame, image, {"x": x, "y": y, "url": nominal("url")}),
        layer(first, left, {"x": {"value": 0}, "y": y, "text": nominal("heading")}),
        layer(top, above, {"x": x, "y": {"value": 0}, "text": nominal("name")}),
    ]
    spec = layered(TITLE.lower(), columns * PIXELS, len(grid.rows) * PIXELS, layers)
    # As in `row_axis`, headings may be a fifth wider where the SVG is shown: a pixel a character.
    room = min(40, max(map(len, grid.rows)))
    return spec | {"padding": {"left": 8 + room, "right": 8, "top": 8, "bottom": 8}}
