"""How values and numbers are written."""

import math

import pytest

from dlx.report.text import MISSING, visible, write_metric, write_range, write_seconds, write_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (1e-05, "1e-05"),
        (1.0, "1"),
        (True, "true"),
        (None, MISSING),
        ("none", "none"),
        ([128, 64], "[128, 64]"),
        ("a\nb\x1b[31m", r"a\nb\x1b[31m"),
        ({"k": "\n"}, r'{"k": "\n"}'),
    ],
)
def test_values_are_written_as_they_are_typed(value: object, text: str) -> None:
    assert write_value(value) == text


def test_characters_that_hide_or_reverse_text_are_escaped() -> None:
    assert visible("Größe \u202egnp.exe") == r"Größe \u202egnp.exe"
    assert visible("\udcff") == r"\udcff"  # a byte of a file's name that is no UTF-8


def test_metrics_have_about_four_digits() -> None:
    assert [write_metric("val_accuracy", value) for value in (0.9, 0.00012)] == ["0.9000", "0.0001"]
    assert [write_metric("val_loss", value) for value in (2.3, 0.0123456, 1.5e-7, 1234.5, 0.0)] == [
        "2.3000",
        "0.01235",
        "1.500e-07",
        "1234",
        "0",
    ]
    assert write_metric("val_loss", math.nan) == MISSING


def test_seconds_and_ranges_are_written_short() -> None:
    assert [write_seconds(value) for value in (0.123, 12.34, 1234.5, math.nan)] == [
        "0.12",
        "12.3",
        "1,234",
        MISSING,
    ]
    assert [write_range(*ends) for ends in ((3, 3), (3, 9), (math.nan, math.nan))] == [
        "3",
        f"3{MISSING}9",
        MISSING,
    ]
