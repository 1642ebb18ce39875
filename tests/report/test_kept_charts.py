"""A chart of an earlier report is drawn again only if something about it has changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from dlx.report import charts, kept_charts
from dlx.report.charts import Chart, draw_chart
from dlx.report.kept_charts import KINDS, earlier_charts, kept_chart, sealed

SPEC: dict[str, Any] = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "mark": "bar"}
CHART = Chart("bars", "title", "caption", SPEC)
DRAWN = {"svg": b"<svg>\xc3\xa9</svg>", "png": b"pixels", "pdf": b"pages"}


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    kept_charts._key.cache_clear()


@pytest.fixture
def plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an earlier report's chart, which the renderer cannot draw again."""
    monkeypatch.setattr(charts, "_draw", lambda _: DRAWN)
    folder = tmp_path / "plots"
    folder.mkdir()
    for name, content in draw_chart(CHART)[1].items():
        (folder / name).write_bytes(content)
    monkeypatch.setattr(charts, "_draw", lambda _: DRAWN | {"svg": b"<svg>new</svg>"})
    return folder


def test_an_equal_chart_is_not_drawn_again(plots: Path) -> None:
    chart, files = draw_chart(CHART, plots)
    assert chart.svg == "<svg>é</svg>"
    assert files == {path.name: path.read_bytes() for path in plots.iterdir()}
    assert set(earlier_charts(plots)) == set(plots.iterdir())


def test_another_specification_is_drawn(plots: Path) -> None:
    chart, files = draw_chart(CHART._replace(spec=SPEC | {"mark": "line"}), plots)
    assert chart.svg == "<svg>new</svg>"
    assert files["bars.svg"].startswith(b"<svg>new</svg>\n<!-- drawn by dlx report")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [b"", None, b"edited"])
def test_a_file_that_was_changed_or_removed_is_drawn_again(
    plots: Path, kind: str, change: bytes | None
) -> None:
    path = plots / f"bars.{kind}"
    content = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change and change + content)
    assert draw_chart(CHART, plots)[0].svg == "<svg>new</svg>"


def test_a_chart_that_another_user_drew_is_drawn_again(plots: Path, tmp_path: Path) -> None:
    (tmp_path / "cache" / "charts.key").unlink()
    kept_charts._key.cache_clear()
    assert draw_chart(CHART, plots)[0].svg == "<svg>new</svg>"


def test_the_key_is_kept_and_only_its_owner_may_read_it(plots: Path, tmp_path: Path) -> None:
    key = tmp_path / "cache" / "charts.key"
    assert key.stat().st_mode & 0o777 == 0o600
    kept_charts._key.cache_clear()
    assert kept_chart(plots / "bars", json.dumps(SPEC)) == DRAWN


def test_without_a_cache_charts_are_drawn_and_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file"))
    assert sealed("{}", DRAWN).startswith(DRAWN["svg"] + b"\n<!-- drawn by dlx report, seal ")


def test_charts_of_earlier_versions_are_recognised_without_a_seal(tmp_path: Path) -> None:
    (tmp_path / "old.svg").write_bytes(b"<svg/>\n<!-- drawn by dlx report -->\n")
    (tmp_path / "mine.svg").write_bytes(b"<svg/>")
    assert {path.name for path in earlier_charts(tmp_path)} == {"old.svg", "old.png", "old.pdf"}
