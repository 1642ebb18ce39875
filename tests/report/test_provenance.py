"""What it takes to repeat runs: Hydra's own words, or the settings that vary; machines and data once each."""

from pathlib import Path
from typing import Any

import pytest

from dlx.report.aggregate import aggregate
from dlx.report.load import load
from dlx.report.provenance import Provenance, describe
from dlx.report.settings import find_design


def described(study: Any) -> Provenance:
    read = load([study.folder])
    layout = find_design(read.settings)
    return describe(read, layout, aggregate(read, layout))


def record(folder: Path, text: str) -> None:
    (folder / ".hydra" / "overrides.yaml").write_text(text)


def test_a_command_is_made_of_the_words_that_were_typed(study: Any) -> None:
    record(study.run("a", study.curve(0.9)), "- name=my study\n- optimizer.betas=[0.9,0.99]\n")
    assert described(study).commands == ["dlx train 'name=my study' 'optimizer.betas=[0.9,0.99]'"]


def test_commands_stand_in_the_order_of_the_table(study: Any) -> None:
    record(study.run("a", study.curve(0.5), {"optimizer.lr": 0.1}), "- which=worse\n")
    record(study.run("b", study.curve(0.9)), "- which=better\n")
    assert described(study).commands == ["dlx train which=better", "dlx train which=worse"]


@pytest.mark.parametrize("text", [None, "{", "a: 1", "'\x00'"])
def test_without_a_readable_record_the_settings_that_vary_are_named(study: Any, text: str | None) -> None:
    folder = study.run("a", study.curve(0.9), {"model.name": "lenet", "optimizer.lr": 0.1})
    study.run("b", study.curve(0.5))
    if text is not None:
        record(folder, text)
    first = described(study).commands[0]
    assert first == "dlx train model=lenet optimizer.lr=0.1  # and the settings that all runs share"


def test_hostile_words_are_quoted_and_visible(study: Any) -> None:
    record(study.run("a", study.curve(0.9)), '- "name=$(rm)\\n\\u202e"\n')
    assert described(study).commands == ["dlx train 'name=$(rm)\\n\\u202e'"]


def test_machines_are_described_once_each(study: Any) -> None:
    for place in range(3):
        device = "cuda" if place == 2 else "cpu"
        study.run(f"r{place}", study.curve(0.9), seed=place, device=device, threads=2)
    machines = described(study).machines
    assert [dict(machine)["device"] for machine in machines] == ["cpu", "cuda"]
    assert dict(machines[0]) == {"device": "cpu", "threads": "2", "torch": "2.10"}


def test_the_data_are_those_the_runs_recorded(study: Any) -> None:
    study.run(
        "a", study.curve(0.9), data={"train": 10, "val": 5, "input_shape": [1, 8, 8], "classes": ["<b>", "c"]}
    )
    assert described(study).data == [
        ("data", "digits"),
        ("training samples", "10"),
        ("validation samples", "5"),
        ("a sample", "1 x 8 x 8"),
        ("classes", "<b>, c"),
    ]
