"""The gallery: sections in order, narrow charts first, none without content but the curves'."""

from typing import Any

from dlx.report.charts import Chart
from dlx.report.pictures import gallery as module
from dlx.report.pictures.gallery import gallery


def test_a_bare_run_has_curves_alone(study: Any, loaded: Any) -> None:
    study.run("a", study.curve(0.5))
    sections = gallery(*loaded())
    assert {heading: [chart.name for chart in charts] for heading, charts in sections.items()} == {
        "Curves": ["accuracy", "loss"]
    }


def test_sections_keep_their_order_and_put_narrow_charts_first(monkeypatch: Any) -> None:
    def picture(*names: str) -> Any:
        return lambda *_: [Chart(name, name, "", {}, name.isupper()) for name in names]

    sections = (("one", (picture("A", "b"), picture("c"))), ("two", (picture(),)), ("three", (picture("D"),)))
    monkeypatch.setattr(module, "SECTIONS", sections)
    hung = gallery(None, None, None)  # type: ignore[arg-type]
    assert {heading: "".join(chart.name for chart in charts) for heading, charts in hung.items()} == {
        "one": "bcA",
        "three": "D",
    }
