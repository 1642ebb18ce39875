"""Figures for print have the width that is asked for, in every format, with readable letters."""

import re
import struct
from typing import Any

import pytest

from dlx.errors import RequestError
from dlx.report.export import figures as module
from dlx.report.export.figures import PPI, figures
from dlx.report.export.width import Width, read_width
from dlx.report.plots.learning_curves import curves_by_epoch


@pytest.mark.parametrize(
    ("word", "mm"),
    [("89mm", 89.0), ("8.9cm", 89.0), ("3.5in", 88.9), ("252pt", 88.9), ("336px", 88.9), ("nature", 89.0)],
)
def test_a_width_is_a_length_or_a_journal(word: str, mm: float) -> None:
    assert read_width(word).mm == pytest.approx(mm)


@pytest.mark.parametrize("word", ["89", "natur", "-3in", "1e3mm", "20mm", "1000mm", ""])
def test_another_width_is_refused(word: str) -> None:
    with pytest.raises(RequestError, match="did you mean 'nature'" if word == "natur" else "mm"):
        read_width(word)


@pytest.fixture
def analysis(study: Any) -> Any:
    """Five settings with long names, so that legends and names of rows need room."""
    for number, rate in enumerate((0.1, 0.03, 0.01, 0.003, 0.001)):
        for seed in range(3):
            changes = {
                "optimizer.lr": rate,
                "model.norm": "batch",
                "optimizer.name": "adam" if number else "sgd",
            }
            level = 0.9 - number / 20 + seed / 100
            study.run(f"r{number}-{seed}", study.curve(0.3, level, level), changes, seed=seed)
    return study.analysis()


@pytest.mark.parametrize("mm", [89.0, 183.0])
def test_every_format_has_the_width_and_letters_of_seven_and_eight_points(
    analysis: Any, mm: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [chart for chart in curves_by_epoch(analysis) if "accuracy" in chart.name]
    monkeypatch.setattr(module, "gallery", lambda _: {"Curves": charts})
    files = figures(analysis, Width("", mm))
    names = {name.partition(".")[0] for name in files}
    assert names == {f"figures/{chart.name}" for chart in charts} | {"figures/answer"}
    for name in names:
        svg = files[f"{name}.svg"].decode()
        [width, height, across] = map(
            float, re.findall(r'width="([\d.]+)mm" height="([\d.]+)mm" viewBox="0 0 (\d+) ', svg)[0]
        )
        assert width == pytest.approx(mm)
        points = mm / 25.4 * 72
        media = re.search(rb"MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", files[f"{name}.pdf"])
        assert media is not None
        assert [*map(float, media.groups())] == pytest.approx([points, points * height / width], abs=0.01)
        pixels = struct.unpack(">II", files[f"{name}.png"][16:24])
        assert pixels[0] == pytest.approx(mm / 25.4 * PPI, abs=1)
        assert pixels[1] == pytest.approx(pixels[0] * height / width, rel=0.01)
        letters = {float(size) * points / across for size in re.findall(r'font-size="([\d.]+)px"', svg)}
        assert 7 <= min(letters) <= max(letters) <= 8.2, name


def test_panels_that_would_be_too_narrow_move_into_another_row(analysis: Any) -> None:
    chart = next(chart for chart in curves_by_epoch(analysis) if chart.spec and "concat" in chart.spec)
    assert chart.spec
    assert chart.spec["columns"] == 4
    svg, panel = module._solve(chart.spec, 378, 4)
    assert panel < module.NARROWEST
    fitted = module._fitted(chart.spec, 378)
    assert module._size(fitted)[0] == pytest.approx(378, abs=1)
    assert module._size(fitted)[1] > 1.3 * module._size(svg)[1]
