"""The picture of the answer: groups in order, what is left out is counted, marks at the right values."""

from collections.abc import Callable
from typing import Any

import pytest

from dlx.report.analysis import Analysis
from dlx.report.answer import Answer
from dlx.report.charts import Chart
from dlx.report.plots.answer import ROWS, answer_chart, find_axis, rows_of_answer
from dlx.report.plots.dot_rows import FAINT, PALE

Analysed = Callable[[], Analysis]


def answered(analysis: Analysis, groups: dict[int, Any]) -> Analysis:
    """Return the analysis with these groups for an answer."""
    vars(analysis)["answer"] = Answer("the answer", groups=groups)
    return analysis


def many(study: Any, ends: list[float], seeds: int = 2) -> None:
    """Write a setting for each of `ends`, the scores of its seeds a tenth of a point apart."""
    for index, end in enumerate(ends):
        for seed in range(seeds):
            changes = {"model.width": 8 * (index + 1)}
            study.run(f"r{index}-{seed}", study.curve(end + seed / 1000), changes, seed=seed)


def layers(chart: Chart | None) -> list[dict[str, Any]]:
    """Return the layers of a chart, which must fit altair's schema."""
    assert chart is not None
    assert chart.spec is not None
    pytest.importorskip("altair").Root.validate(chart.spec)
    drawn: list[dict[str, Any]] = chart.spec["layer"]
    return drawn


def opacity(layer: dict[str, Any]) -> float | None:
    """Return the opacity of a layer's marks while nothing is picked."""
    value: float | None = layer["encoding"].get("opacity", {}).get("condition", {}).get("value")
    return value


def texts(chart: Chart | None) -> list[str]:
    """Return every text in the chart, layer by layer."""
    found = [each for each in layers(chart) if each["mark"]["type"] == "text"]
    return [row["text"] for each in found for row in each["data"]["values"]]


def test_settings_stand_below_the_heading_of_their_group_best_first(study: Any, analysed: Analysed) -> None:
    many(study, [0.9, 0.88, 0.86, 0.84])
    chart = answer_chart(answered(analysed(), {0: "best", 1: "worse", 2: "undecided", 3: "worse"}))
    means, words = texts(chart)[:4], texts(chart)[4:]
    assert means == ["0.9005", "0.8605", "0.8805", "0.8405"]
    assert words == ["Scored best", "Undecided: not shown to be worse (1)", "Worse (2)"]
    domain = layers(chart)[0]["encoding"]["y"]["scale"]["domain"]
    assert [place.strip() for place in domain] == [
        *("", "width 8"),
        *("", "width 24"),
        *("", "width 16", "width 32"),
    ]
    assert len(set(domain)) == len(domain)


@pytest.mark.parametrize(
    ("groups", "headings"),
    [
        ({0: "best", 1: "worse"}, ["Best", "Worse (1)"]),
        ({0: "best", 1: "tied"}, ["Best or tied (2)"]),
        ({0: "best", 1: "untested"}, []),
    ],
)
def test_only_a_setting_that_others_cannot_match_is_called_best(
    study: Any, analysed: Analysed, groups: dict[int, Any], headings: list[str]
) -> None:
    many(study, [0.9, 0.88])
    assert list(rows_of_answer(answered(analysed(), groups)).headings.values()) == headings


def test_settings_beyond_the_first_rows_are_counted_by_group(study: Any, analysed: Analysed) -> None:
    many(study, [0.9 - index / 100 for index in range(ROWS + 4)], seeds=1)
    groups: dict[int, Any] = {
        index: "undecided" if index < ROWS + 1 else "worse" for index in range(ROWS + 4)
    }
    chart = answer_chart(answered(analysed(), groups | {0: "best"}))
    assert texts(chart)[ROWS:] == [
        "Scored best",
        f"Undecided: not shown to be worse ({ROWS})",
        "4 more: 1 undecided, 3 worse",
    ]
    assert "width 8" in layers(chart)[0]["encoding"]["y"]["scale"]["domain"]


def test_intervals_are_those_of_the_table_and_the_picked_one_is_pale(study: Any, analysed: Analysed) -> None:
    many(study, [0.9, 0.88])
    analysis = answered(analysed(), {0: "best", 1: "undecided"})
    rules = [each for each in layers(answer_chart(analysis)) if each["mark"]["type"] == "rule"]
    (best,), (other,) = (each["data"]["values"] for each in rules)
    table = analysis.summary.table
    assert [best["low"], other["low"]] == table["val_accuracy_last_low"].tolist()
    assert [best["high"], other["high"]] == table["val_accuracy_last_high"].tolist()
    assert [opacity(each) for each in rules] == [PALE, 0.9]


def test_an_interval_of_accuracies_ends_at_0_and_1(study: Any, analysed: Analysed) -> None:
    many(study, [0.9, 0.88], seeds=1)
    study.run("other", study.curve(0.3), {"model.width": 8}, seed=1)
    settings = rows_of_answer(answered(analysed(), {0: "best", 1: "undecided"})).settings.set_index("label")
    assert settings.loc["width 8", ["low", "high"]].tolist() == [0, 1]


def test_every_run_is_a_faint_dot(study: Any, analysed: Analysed) -> None:
    many(study, [0.9, 0.88], seeds=3)
    study.run("collapsed", study.curve(0.3), {"model.width": 8}, seed=3)
    chart = answer_chart(answered(analysed(), {0: "best", 1: "undecided"}))
    faint = [each for each in layers(chart) if opacity(each) == FAINT]
    values = [row["value"] for each in faint for row in each["data"]["values"]]
    assert sorted(values) == pytest.approx([0.3, 0.88, 0.881, 0.882, 0.9, 0.901, 0.902])


def test_with_one_run_a_setting_there_are_dots_alone(study: Any, analysed: Analysed) -> None:
    many(study, [0.9, 0.88, 0.86], seeds=1)
    chart = answer_chart(analysed())
    assert [each["mark"]["type"] for each in layers(chart)] == ["point", "text"]
    assert chart is not None
    assert chart.caption == "Each dot is the validation accuracy of one run. A point is 0.01."


def test_one_setting_has_no_picture(study: Any, analysed: Analysed) -> None:
    many(study, [0.9])
    study.run("lost", study.curve(0.5), {"model.width": 99}, status="diverged")
    assert answer_chart(analysed()) is None


def test_a_far_worse_setting_is_an_arrow_at_the_edge(study: Any, analysed: Analysed) -> None:
    many(study, [0.98, 0.978, 0.976, 0.1], seeds=1)
    analysis = analysed()
    rows = rows_of_answer(analysis)
    axis = find_axis(rows, higher=True)
    assert axis.cut
    assert 0.95 < axis.low < 0.976
    chart = answer_chart(analysis)
    (edge,) = [each for each in layers(chart) if "triangle" in str(each["mark"].get("shape"))]
    assert (edge["mark"]["shape"], edge["data"]["values"][0]["mean"]) == ("triangle-left", axis.low)
    assert texts(chart)[-1] == "0.1000"
    assert chart is not None
    assert "Triangles" in chart.caption


def test_evenly_spread_settings_are_all_inside_the_axis(study: Any, analysed: Analysed) -> None:
    many(study, [0.8, 0.75, 0.68, 0.46, 0.23], seeds=1)
    axis = find_axis(rows_of_answer(analysed()), higher=True)
    assert not axis.cut
    assert axis.low < 0.23 < 0.8 < axis.high


def test_equal_settings_have_an_axis_that_can_be_read(study: Any, analysed: Analysed) -> None:
    many(study, [0.95, 0.95], seeds=1)
    axis = find_axis(rows_of_answer(analysed()), higher=True)
    assert (axis.low, axis.high) == pytest.approx((0.9405, 0.9595))


def test_values_of_a_surface_may_span_decades(study: Any, analysed: Analysed) -> None:
    for index, height in enumerate((1e-12, 1e-3, 0.5, 7e5)):
        study.descent(f"s{index}", [(1.0, 1.0)] * 2, [2.0, height], {"optimizer.lr": 0.1 + index})
    analysis = analysed()
    axis = find_axis(rows_of_answer(analysis), higher=False)
    assert axis.log
    assert axis.low < 1e-12 < 7e5 < axis.high
    chart = answer_chart(analysis)
    assert texts(chart)[0] == "1.000e-12"
    assert chart is not None
    assert "value of f after the last step" in chart.caption
    assert "logarithmic" in chart.caption


def test_infinite_and_huge_losses_leave_the_axis_readable(study: Any, analysed: Analysed) -> None:
    for index, loss in enumerate((0.3, 0.31, 1e300)):
        epochs = [(None, None, 2.3, None), (loss, None, loss, None)]
        study.run(f"r{index}", epochs, {"optimizer.lr": 0.1 + index, "monitor": "val_loss"})
    axis = find_axis(rows_of_answer(analysed()), higher=False)
    assert axis.cut
    assert axis.high < 1
