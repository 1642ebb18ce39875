"""The runs on the page: their details, their commands, machines and data."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlx.report.analysis import Analysis
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.page.runs import RunDetails, data_facts, environments, run_details, train_commands


def details_of(study: Any, output: Path, *findings: Finding) -> list[RunDetails]:
    analysis: Analysis = replace(study.analysis())
    vars(analysis)["diagnosis"] = Diagnosis(list(findings), [])
    return run_details(analysis, output)


def test_details_hold_the_varied_settings_and_the_rank_in_the_table(study: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5), {"optimizer.lr": 0.1}, seed=1)
    study.run("b", study.curve(0.9))
    better, worse = details_of(study, tmp_path)
    assert (better.run, better.rank, worse.run, worse.rank) == ("b", 0, "a", 1)
    assert worse.settings == [("optimizer.lr", "0.1"), ("seed", "1")]


def test_a_run_has_its_own_findings_and_those_of_its_setting(study: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5), {"optimizer.lr": 0.1})
    study.run("b", study.curve(0.9))
    found = details_of(
        study,
        tmp_path,
        Finding("overfitting", "setting", "lr 0.1", "problem", "of the setting", {}),
        Finding("diverged", "run", "a", "problem", "of the run\n", {}),
        Finding("edge", "sweep", "", "note", "of the sweep", {}),
    )
    assert [run.findings for run in found] == [[], ["of the run\\n", "of the setting"]]


def test_a_folder_is_linked_by_a_relative_quoted_url(study: Any) -> None:
    folder = study.run('a "<#?%', study.curve(0.5))
    (folder / ".lock").write_text("")
    (run,) = details_of(study, study.folder / "report")
    assert run.address == "../a%20%22%3C%23%3F%25"
    assert run.files == ["history.csv", "result.json"]


def record(folder: Path, text: str) -> None:
    (folder / ".hydra" / "overrides.yaml").write_text(text)


def test_a_command_repeats_the_recorded_words(study: Any) -> None:
    record(study.run("a", study.curve(0.9)), "- name=my study\n- optimizer.betas=[0.9,0.99]\n")
    assert train_commands(study.analysis()) == ["dlx train 'name=my study' 'optimizer.betas=[0.9,0.99]'"]


def test_commands_are_in_the_order_of_the_table(study: Any) -> None:
    record(study.run("a", study.curve(0.5), {"optimizer.lr": 0.1}), "- which=worse\n")
    record(study.run("b", study.curve(0.9)), "- which=better\n")
    assert train_commands(study.analysis()) == ["dlx train which=better", "dlx train which=worse"]


@pytest.mark.parametrize("text", [None, "{", "a: 1", "'\x00'"])
def test_without_a_readable_record_a_command_has_the_settings_that_vary(study: Any, text: str | None) -> None:
    folder = study.run("a", study.curve(0.9), {"model.name": "lenet", "optimizer.lr": 0.1})
    study.run("b", study.curve(0.5))
    if text is not None:
        record(folder, text)
    first = train_commands(study.analysis())[0]
    assert first == "dlx train model=lenet optimizer.lr=0.1  # and the settings that all runs share"


def test_hostile_words_are_quoted_and_visible(study: Any) -> None:
    record(study.run("a", study.curve(0.9)), '- "name=$(rm)\\n\\u202e"\n')
    assert train_commands(study.analysis()) == ["dlx train 'name=$(rm)\\n\\u202e'"]


def test_each_machine_is_described_once(study: Any) -> None:
    for index in range(3):
        device = "cuda" if index == 2 else "cpu"
        study.run(f"r{index}", study.curve(0.9), seed=index, device=device, threads=2)
    found = environments(study.analysis())
    assert [dict(each)["device"] for each in found] == ["cpu", "cuda"]
    assert dict(found[0]) == {"device": "cpu", "threads": "2", "torch": "2.10"}


def test_data_facts_are_those_that_runs_recorded(study: Any) -> None:
    study.run(
        "a", study.curve(0.9), data={"train": 10, "val": 5, "input_shape": [1, 8, 8], "classes": ["<b>", "c"]}
    )
    assert data_facts(study.analysis()) == [
        ("data", "digits"),
        ("training samples", "10"),
        ("validation samples", "5"),
        ("a sample", "1 x 8 x 8"),
        ("classes", "<b>, c"),
    ]
