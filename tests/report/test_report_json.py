"""report.json: strict JSON at full precision, and every run with its setting."""

import json
import math
from typing import Any

import pytest

from dlx.report.formats import Column, Table
from dlx.report.write import report_json


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def exported(study: Any, **facts: Any) -> dict[str, Any]:
    analysis = study.analysis()
    text = report_json(analysis, facts, {"table": analysis.table})
    report: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return report


def test_settings_and_runs_are_at_full_precision_and_belong_together(study: Any) -> None:
    for name, final in (("adam", 1 / 3), ("sgd", 0.9)):
        for seed in range(2):
            study.run(
                f"{name}{seed}", study.curve(0.95, final + seed / 7), {"optimizer.name": name}, seed=seed
            )
    report = exported(study, title="a study")
    assert [row["values"] for row in report["settings"]] == [
        {"optimizer.name": "sgd"},
        {"optimizer.name": "adam"},
    ]
    assert report["settings"][1]["val_accuracy_last_mean"] == (1 / 3 + (1 / 3 + 1 / 7)) / 2
    by_run = {row["run"]: row for row in report["runs"]}
    assert by_run["adam1"]["val_accuracy_last"] == 1 / 3 + 1 / 7
    assert (by_run["adam1"]["setting"], by_run["sgd0"]["setting"]) == (1, 0)
    assert by_run["adam1"]["seeds"] == {"seed": 1}
    assert (report["metric"], report["higher_is_better"]) == ("val_accuracy", True)
    assert (report["title"], report["equal_in_all_runs"]["epochs"]) == ("a study", 4)
    assert report["versions"]["torch_of_runs"] == ["2.10"]
    assert report["tables"]["table"]["rows"][0][0] == "sgd"


def test_the_answer_has_its_groups_by_label(study: Any) -> None:
    for name, final in (("adam", 0.5), ("sgd", 0.9)):
        for seed in range(4):
            study.run(f"{name}{seed}", study.curve(final + seed / 100), {"optimizer.name": name}, seed=seed)
    answer = exported(study)["answer"]
    assert answer["groups"] == {"sgd": "best", "adam": "worse"}
    assert answer["sentence"].startswith("sgd is best")
    assert answer["method"].startswith("Paired t test")
    assert set(answer) == {"sentence", "next_step", "method", "groups", "remarks", "details", "by_effects"}


def test_missing_and_infinite_values_are_null(study: Any) -> None:
    nothing: Any = (math.nan, None, math.inf, None)
    study.run("a", [nothing, nothing], {"optimizer.momentum": math.nan}, status="diverged")
    study.run("b", study.curve(0.5), {"optimizer.momentum": 0.9}, seed=1)
    rows = exported(study)["runs"]
    assert [row["val_loss_last"] for row in rows] == [None, pytest.approx(0.6)]
    assert rows[0]["train_accuracy_best"] is None


def test_names_are_unchanged_and_undecodable_bytes_are_escaped(study: Any) -> None:
    name = '</script>"\n=cmd|\N{RIGHT-TO-LEFT OVERRIDE}\N{GRINNING FACE}\x1b[2J'
    study.run("a", study.curve(0.5), {"model.norm": name})
    study.run("b\udcff", study.curve(0.5), {"model.norm": "none"})
    report = exported(study)
    assert report["settings"][0]["values"]["model.norm"] == name
    assert [row["run"] for row in report["runs"]] == ["a", "b\\udcff"]


def test_any_table_can_be_included(study: Any) -> None:
    study.run("a", study.curve(0.5))
    table = Table([Column("p", "Holm", numeric=True)], [["0.01"]], ["paired"])
    report = json.loads(report_json(study.analysis(), {}, {"pairs": table}))
    assert report["tables"] == {"pairs": {"columns": ["p, Holm"], "rows": [["0.01"]], "notes": ["paired"]}}
