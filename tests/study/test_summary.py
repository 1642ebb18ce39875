"""The table at a grid's end: a row a run, or a row a setting of many runs."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from dlx.run.result import Result
from dlx.study.summary import Outcome, print_outcomes, varied


def outcome(label, setting, accuracy, status="completed"):
    rows = {"epoch": 3, "val_accuracy": accuracy}
    result = Result(status=status, identity="0" * 64, config={}, last=rows, best=rows, time_seconds=1.5)
    return Outcome(label, Path(label), result, None, setting)


def printed(outcomes, width=80):
    output = io.StringIO()
    print_outcomes(outcomes, [Path("outputs/s")], Console(file=output, width=width))
    return [line.rstrip() for line in output.getvalue().splitlines() if line.strip(" ─")]


def grid(seeds):
    models = {"mlp": 0.9, "cnn": 0.5}
    return [
        outcome(f"model={model} optimizer.lr=0.1 seed={seed}", model, accuracy + seed / 100)
        for model, accuracy in models.items()
        for seed in range(seeds)
    ]


def test_each_of_a_few_runs_has_a_row_with_a_column_for_each_key():
    lines = printed([*grid(2), Outcome("model=cnn optimizer.lr=0.1 seed=9", Path("x"), None, "no", "cnn")])
    assert lines[1].split() == [
        "model",
        "optimizer.lr",
        "seed",
        "status",
        "last",
        "best",
        "(epoch)",
        "seconds",
    ]
    assert lines[2].split() == ["mlp", "0.1", "0", "completed", "0.9000", "0.9000", "(3)", "1.5"]
    assert lines[6].split() == ["cnn", "0.1", "9", "failed", "-", "-", "-"]
    assert lines[-1] == "compare them: dlx report outputs/s"


def test_of_more_than_20_runs_each_setting_has_a_row_with_its_runs_and_means():
    runs = grid(11)
    runs[-1] = outcome("model=cnn optimizer.lr=0.1 seed=10", "cnn", 0.0, status="diverged")
    lines = printed(runs)
    assert lines[1].split() == ["model", "optimizer.lr", "runs", "last", "best"]
    assert lines[2].split() == ["mlp", "0.1", "11", "0.9500", "0.9500"]  # 0.9 and the mean of 0 to 0.1
    assert lines[3].split() == ["cnn", "0.1", "10", "of", "11", "0.5450", "0.5450"]
    assert len(lines) == 5


def test_a_narrow_terminal_gets_the_names_and_the_score():
    lines = printed(grid(1), width=44)
    assert lines[1].split() == ["run", "status", "last"]
    assert max(map(len, lines)) <= 44
    assert "0.9000" in " ".join(lines)


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("", {}),
        ("model=mlp lr=0.1", {"model": "mlp", "lr": "0.1"}),
        ("loss.function='x**2 + y' +model.a=[1, 2]", {"loss.function": "'x**2 + y'", "+model.a": "[1, 2]"}),
    ],
)
def test_a_label_is_read_by_its_keys(label, values):
    assert varied(label) == values
