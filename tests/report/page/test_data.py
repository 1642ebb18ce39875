"""The page's data: numbers survive packing, text cannot end its element, curves stay within their limit."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.report.page import data
from dlx.report.page.runs import run_details


@pytest.fixture
def made(study: Any, tmp_path: Path) -> Callable[[], dict[str, Any]]:
    def make() -> dict[str, Any]:
        analysis = study.analysis()
        return data.page_data(analysis, [], run_details(analysis, tmp_path / "report"))

    return make


def unpack(packed: str, rows: int) -> Any:
    return np.frombuffer(base64.b64decode(packed), "<f4").reshape(rows, -1)


def test_numbers_survive_packing_and_missing_ones_are_nan() -> None:
    values = np.array([[0.9134, np.nan], [1e300, -2.5]])
    packed = unpack(data.pack(values), 2)
    assert packed[0, 0] == pytest.approx(0.9134, rel=1e-7)
    assert np.isnan(packed[0, 1])
    assert np.isposinf(packed[1, 0])


def test_text_cannot_close_its_element() -> None:
    hostile = {"a": "</script><!-- \u2028 \"'"}
    text = data.script_json(hostile)
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == hostile


def test_runs_and_means_are_in_the_order_of_the_tables(study: Any, made: Callable[[], Any]) -> None:
    study.run("worse", study.curve(0.5, 0.6), {"optimizer.lr": 0.1})
    for seed in (0, 1):
        study.run(f"better{seed}", study.curve(0.7, 0.8 + seed / 10), seed=seed)
    page = made()
    assert [setting["label"] for setting in page["settings"]] == ["lr 0.001", "lr 0.1"]
    assert [(run["run"], run["rank"]) for run in page["runs"]] == [
        ("better0", 0),
        ("better1", 0),
        ("worse", 1),
    ]
    curves = page["curves"]
    means = curves["means"]["accuracy validation"]
    assert curves["epochs"] == [0, 1, 2]
    assert means["n"] == [2, 1]
    assert unpack(means["mean"], 2)[:, 2] == pytest.approx([0.85, 0.6])
    assert unpack(means["low"], 2)[0, 2] == pytest.approx(0.8)
    assert unpack(curves["runs"]["accuracy validation"], 3)[:, 2] == pytest.approx([0.8, 0.9, 0.6])
    assert np.isnan(unpack(curves["runs"]["accuracy training"], 3)[:, 0]).all()


def test_many_curves_are_thinned_to_the_limit_and_keep_their_last_epoch(
    study: Any, made: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(3):
        study.run(f"r{index}", study.curve(*[0.5] * 30), {"optimizer.lr": 0.1 + index})
    monkeypatch.setattr(data, "VALUES", 400)
    epochs = made()["curves"]["epochs"]
    assert (epochs[0], epochs[-1]) == (0, 30)
    assert 4 * (3 * 3 + 3) * (len(epochs) - 1) <= 400


def test_only_keys_with_few_values_become_filters(study: Any, made: Callable[[], Any]) -> None:
    for index in range(data.CHOICES + 1):
        changes = {"optimizer.lr": 0.1 + index, "model.width": 8 + index % 2}
        study.run(f"r{index}", study.curve(0.5), changes)
    assert [facet["name"] for facet in made()["facets"]] == ["width"]
