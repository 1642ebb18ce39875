"""The gallery: sections in order, narrow charts first, empty sections left out."""

from typing import Any

from dlx.report.charts import Chart
from dlx.report.plots import gallery as module
from dlx.report.plots.gallery import gallery


def test_a_bare_run_has_curves_alone(study: Any, analysed: Any) -> None:
    study.run("a", study.curve(0.5))
    sections = gallery(analysed())
    assert {title: [chart.name for chart in charts] for title, charts in sections.items()} == {
        "Curves": ["accuracy", "loss"]
    }


def test_differences_follow_the_curves_if_settings_share_seeds(study: Any, analysed: Any) -> None:
    for index in range(2):
        for seed in range(2):
            study.run(
                f"r{index}{seed}", study.curve(0.5 + index / 10), {"optimizer.lr": 0.1 + index}, seed=seed
            )
    assert list(gallery(analysed()))[:2] == ["Curves", "Differences"]


def test_sections_keep_their_order_and_put_narrow_charts_first(monkeypatch: Any) -> None:
    def plot(*names: str) -> Any:
        return lambda _: [Chart(name, name, "", {}, name.isupper()) for name in names]

    sections = {"one": (plot("A", "b"), plot("c")), "two": (plot(),), "three": (plot("D"),)}
    monkeypatch.setattr(module, "SECTIONS", sections)
    begun: list[Chart] = []
    charts_of = gallery(None, begun.append)  # type: ignore[arg-type]
    assert [chart.name for chart in begun] == ["A", "b", "c", "D"]
    assert {title: "".join(chart.name for chart in charts) for title, charts in charts_of.items()} == {
        "one": "bcA",
        "three": "D",
    }
