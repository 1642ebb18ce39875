"""Parameters by layer: a table for each architecture, with a total; older and odd results have none."""

from typing import Any

import pytest

from dlx.report.aggregate import aggregate
from dlx.report.load import load
from dlx.report.parameters import count_parameters
from dlx.report.settings import find_design


def net(width: int) -> list[dict[str, Any]]:
    return [
        {"layer": "flatten", "module": "Flatten", "output_shape": [784], "parameters": 0},
        {"layer": "linear1", "module": "Linear", "output_shape": [width], "parameters": 785 * width},
    ]


def tables(study: Any) -> Any:
    loaded = load([study.folder])
    layout = find_design(loaded.settings)
    return count_parameters(loaded, layout, aggregate(loaded, layout))


def test_layers_of_each_architecture_and_a_total(study: Any) -> None:
    for place, width in enumerate((16, 16, 128)):
        changes = {"model.width": width, "optimizer.lr": 0.1 + place}
        study.run(f"r{place}", study.curve(0.5 + place / 10), changes, layers=net(width))
    (first, best), (second, other) = tables(study)
    assert first == "width 128, lr 2.1"
    assert second == "width 16, lr 1.1 and 1 more setting"
    assert best.rows == [
        ["flatten", "Flatten", "784", "0"],
        ["linear1", "Linear", "128", "100,480"],
        ["total", "", "", "100,480"],
    ]
    assert other.rows[-1][-1] == "12,560"


@pytest.mark.parametrize("layers", [[], [{"layer": "a"}], [{"layer": "a", "parameters": "many"}]])
def test_results_without_such_a_list_have_no_table(study: Any, layers: Any) -> None:
    study.run("a", study.curve(0.5), layers=layers)
    assert tables(study) == []
