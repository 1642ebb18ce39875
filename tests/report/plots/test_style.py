"""Ticks and labels of axes: by value, and where they are drawn."""

import re

import pandas as pd
import pytest
import vl_convert

from dlx.report.plots.style import label_angle, layer, layered, log_ticks, row_axis


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.002, 30.0, [0.01, 0.1, 1.0, 10.0]),
        (1e-9, 1.0, [1e-9, 1e-6, 1e-3, 1.0]),
        (3.0, 400.0, [5.0, 10.0, 20.0, 50.0, 100.0, 200.0]),
        (8.0, 1000.0, [10.0, 100.0, 1000.0]),
    ],
)
def test_logarithmic_ticks_are_a_few_powers_of_ten(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


def test_labels_are_tilted_if_they_do_not_fit() -> None:
    assert label_angle(["cat", "dog"], 60) == {"labelAngle": 0}
    assert label_angle(["cat", "elephant"], 60) == {"labelAngle": -40}
    assert label_angle([], 60) == {"labelAngle": 0}


def test_a_long_row_label_has_room_in_a_wider_font_than_the_renderers() -> None:
    label = "optimizer adamw, norm batch, width 1024"  # 39 characters: 210 pixels in Liberation Sans
    y = {"field": "label", "type": "nominal", "axis": row_axis([label], 320)}
    spec = layered("", 300, 24, [layer(pd.DataFrame({"label": [label]}), {"type": "point"}, {"y": y})])
    left = re.search(r"translate\((\d+)", vl_convert.vegalite_to_svg(spec))
    assert left
    assert int(left[1]) > 235  # its width in DejaVu Sans
