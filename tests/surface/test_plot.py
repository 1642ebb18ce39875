"""The plot of a surface: valid Vega-Lite with a panel per setting; the report counts in steps."""

from pathlib import Path
from typing import Any

import pytest

from dlx.commands.report import main
from dlx.report.analysis import Options, analyse
from dlx.report.charts import Chart
from dlx.report.load import load_study
from dlx.report.plots.style import PANELS
from dlx.surface.plot import HIGH, LOW, surface

PATH = [(3.0, 2.0), (1.5, 1.0), (0.75, 0.5)]
HEIGHTS = [13.0, 3.25, 0.8125]


def drawn(study: Any) -> list[Chart]:
    return surface(analyse(load_study([study.folder]), Options()))


def descents(study: Any, count: int) -> None:
    for index in range(count):
        study.descent(f"run{index}", PATH, HEIGHTS, {"optimizer.lr": 0.1 + index})


@pytest.mark.slow
@pytest.mark.parametrize("settings", [1, 2, 14])
def test_the_chart_is_valid_vega_lite_with_a_panel_per_setting(study: Any, settings: int) -> None:
    altair = pytest.importorskip("altair")
    descents(study, settings)
    ((name, title, caption, spec, *_),) = drawn(study)
    assert name == ("surface" if settings == 1 else "surface_by_setting")
    assert title == "The path over f = x**2 + y**2"
    assert len(spec["concat"]) == min(settings, PANELS)
    assert ("Only the first 12 of 14 settings" in caption) == (settings == 14)
    altair.Root.validate(spec)


def test_the_lowest_band_is_the_darkest_and_a_shared_surface_has_one_legend(study: Any) -> None:
    descents(study, 2)
    ((_, _, _, spec, *_),) = drawn(study)
    fill = spec["concat"][0]["layer"][0]["encoding"]["fill"]
    names, colours = fill["scale"]["domain"], fill["scale"]["range"]
    assert colours[-1] == "#" + "".join(f"{part:02x}" for part in LOW)
    assert colours[0] == "#" + "".join(f"{part:02x}" for part in HIGH)
    lows = [float(name.split(" to ")[0]) for name in names]
    assert lows == sorted(lows, reverse=True)
    assert fill["legend"]["title"] == "f"
    assert spec["resolve"] == {"scale": {"fill": "shared"}}


def test_different_surfaces_have_shades_of_their_own_and_no_legend(study: Any) -> None:
    descents(study, 1)
    study.descent("other", PATH, [6.0, 1.5, 0.375], {"loss.function": "x*y"})
    ((_, title, _, spec, *_),) = drawn(study)
    assert title == "The path over each surface"
    assert spec["resolve"] == {"scale": {"fill": "independent"}}
    assert [panel["layer"][0]["encoding"]["fill"]["legend"] for panel in spec["concat"]] == [None, None]


def test_start_end_and_the_point_where_a_path_leaves_are_marked(study: Any) -> None:
    descents(study, 1)
    study.descent("lost", [(3.0, 2.0), (-9e9, -6e9)], [13.0, 1e20], {"optimizer.lr": 9.0}, "diverged")
    ((_, _, caption, spec, *_),) = drawn(study)
    assert "A cross marks the point where a path leaves the plot" in caption
    kept, lost = ([layer["data"]["values"] for layer in panel["layer"]] for panel in spec["concat"])
    start, end, left = 4, 5, 6
    assert kept[start] == [{"x": 3.0, "y": 2.0}] == lost[start]
    assert (kept[end], kept[left]) == ([{"x": 0.75, "y": 0.5}], [])
    assert (lost[end], len(lost[left])) == ([], 1)


def test_other_runs_have_no_surface(study: Any) -> None:
    study.run("net", study.curve(0.5, 0.6))
    assert drawn(study) == []


@pytest.mark.slow
def test_the_report_mentions_f_and_steps_but_no_seeds(
    study: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    descents(study, 1)
    study.descent("swings", PATH, [13.0, 0.25, 2.0], {"optimizer.lr": 5.0})
    assert main([str(study.folder)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "lr 0.1 ends lowest: f is 0.8125 after the last step." in printed
    assert "The next lowest is lr 5, 1.2 higher." in printed
    for word in ("accuracy", "chance,", "seed", "±", "flatters", "train loss"):
        assert word not in printed
    report = study.folder / "report"
    assert sorted(file.name for file in (report / "plots").glob("*.svg")) == [
        "answer.svg",
        "loss.svg",
        "loss_by_setting.svg",
        "surface_by_setting.svg",
    ]
    page = (report / "index.html").read_text()
    assert "The lowest value on the way was 0.2500 with lr 5, after step 1." in page
    assert "The path over f = x**2 + y**2" in page
    assert "training" not in page.split("<h2>Curves</h2>")[1].split("</figure>")[0]


@pytest.mark.slow
def test_one_run_and_one_that_never_had_a_height_are_reported(
    study: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study.descent("one", PATH, [13.0, 0.5, 0.8125])
    assert main([str(study.folder), "--details"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The value of f after the last step is 0.8125." in said
    assert "The lowest value on the way was 0.5000, after step 1." in said
    study.descent("nan", [(3.0, 2.0)], [float("nan")], {"loss.function": "log(x - 5)"}, "diverged")
    nan = study.folder / "nan"
    assert main([str(nan), "--output", str(tmp_path / "report")]) == 0
    assert "No run completed" in capsys.readouterr().out
    assert not list((tmp_path / "report").glob("plots/*"))
