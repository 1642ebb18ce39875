"""Images before and after augmentation: rows, and grey levels by value."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlx.report.plots.images import AUGMENTED, COLUMNS, ORIGINAL, augmented_images, collect
from dlx.report.plots.run_files import RunFiles
from dlx.run.probes import IMAGES, Images, write_images

BEFORE = np.array([[[[0.0, 16.0], [8.0, 4.0]]]])
LABELS = np.array([1])


def pixels(url: str) -> np.ndarray:
    kind, _, content = url.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def files(**settings: Images) -> RunFiles[Images]:
    return RunFiles(
        {label: {label: read} for label, read in settings.items()}, IMAGES, [], len(settings), False
    )


def test_grey_levels_span_the_originals_and_pixels_stay_square() -> None:
    grid = collect(files(a=Images(BEFORE, BEFORE * 3 - 8, LABELS)), ["cat", "dog"])
    original, augmented = (pixels(url) for url in grid.frame["url"])
    step = original.shape[0] // 2
    assert original[::step, ::step].tolist() == [[0, 255], [128, 64]]
    assert len(np.unique(original)) == 4  # enlarged without blur
    assert augmented[::step, ::step].tolist() == [[0, 255], [255, 64]]
    assert grid.clipped
    assert grid.rows == [ORIGINAL, AUGMENTED]
    assert grid.classes == ["dog"]


def test_a_setting_that_changes_nothing_or_repeats_another_has_no_row() -> None:
    plain, flipped = Images(BEFORE, BEFORE, LABELS), Images(BEFORE, BEFORE[..., ::-1], LABELS)
    grid = collect(files(plain=plain, flipped=flipped, again=flipped), [])
    assert grid.rows == [ORIGINAL, "flipped"]
    assert not grid.clipped
    assert grid.classes == ["1"]


def test_other_originals_have_a_row_of_their_own() -> None:
    other = Images(BEFORE + 1, BEFORE + 2, np.array([0]))
    grid = collect(files(a=Images(BEFORE, BEFORE - 1, LABELS), b=other), [])
    assert grid.rows == [ORIGINAL, "a", ORIGINAL, "b"]
    assert grid.classes == [""]


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_images_of_any_channels_and_many_pixels_are_drawn(study: Any, drawn: Any, channels: int) -> None:
    before = np.random.default_rng(0).random((9, channels, 400, 300))
    write_images(study.run("a", study.curve(0.5)), Images(before, before[::-1], np.arange(9)))
    chart = drawn(augmented_images)["images"]
    values = chart.spec["layer"][0]["data"]["values"]
    assert len(values) == 2 * COLUMNS
    shape = pixels(values[0]["url"]).shape
    assert max(shape) <= 168
    assert len(shape) == (3 if channels == 3 else 2)


def test_samples_that_are_not_images_count_as_damage(study: Any, drawn: Any) -> None:
    flat = np.zeros((2, 5))
    write_images(study.run("flat", study.curve(0.5)), Images(flat, flat, np.array([0, 1])))
    assert drawn(augmented_images)["images"].caption == "Left out because images.npz is damaged: flat."
