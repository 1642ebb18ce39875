"""Broken inputs: a report that says what was left out and why, or one clear line and exit code 2."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlx.cli import main
from dlx.report.page import render
from dlx.run.history import HistoryWriter

Epochs = list[tuple[float | None, float | None, float | None, float | None]]


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that `dlx report` refuses a folder with."""
    assert main(["report", str(folder)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("dlx report: error: ")
    assert not (folder / "report").exists()
    return printed.err


def reported(folder: Path, output: Path) -> dict[str, Any]:
    """Return report.json, and check that the page also says what was left out."""
    assert main(["report", str(folder), "--output", str(output)]) == 0
    report: dict[str, Any] = json.loads((output / "report.json").read_text())
    page = (output / "index.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert ("<h2>Left out</h2>" in page) == bool(report["left_out"])
    return report


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


NO_ONE = f'"status": "completed", "identity": "{"0" * 64}"'
RESULTS: dict[str, tuple[str, str]] = {
    "nothing": ("", "not valid JSON: Expecting value"),
    "a list": ("[1, 2]", "Input should be an object"),
    "a number": ("3", "Input should be an object"),
    "cut": ('{"status": "comp', "not valid JSON: Unterminated string"),
    "another status": ('{"status": "done", "identity": "", "config": {"a": 1}}', "status: Input should be"),
    "no configuration": (f'{{{NO_ONE}, "config": {{}}}}', "holds no configuration"),
    "a list for a configuration": (f'{{{NO_ONE}, "config": [1]}}', "config: "),
    "half a letter": ('{"status": "\\ud800"}', "not valid JSON"),
    "deep": ("[" * 100_000, "nested more than 50 deep"),
    "huge number": (f'{{{NO_ONE}, "config": {{"a": 1}}, "last": {{"epoch": "x"}}}}', "last.epoch"),
}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out has no plot: drawing those of the other runs, a second each time, shows nothing."""
    monkeypatch.setattr(render, "draw_chart", lambda chart, *_: (chart, {}))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("what", RESULTS)
def test_a_damaged_result_is_left_out_with_its_reason(study: Any, tmp_path: Path, what: str) -> None:
    content, reason = RESULTS[what]
    study.run("good", study.curve(0.5))
    (study.run("bad", study.curve(0.5), seed=1) / "result.json").write_text(content)
    left_out = reported(study.folder, tmp_path / "out")["left_out"]
    assert list(left_out) == ["bad"]
    assert left_out["bad"].startswith("result.json")
    assert reason in left_out["bad"]


HISTORIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda path: path.write_text(path.read_text()[:-3]), "history.csv: the last line is cut short"),
    "empty": (lambda path: path.write_text(""), "history.csv: the file is empty"),
    "no epoch": (HistoryWriter, "history.csv holds no epoch"),
    "another table": (lambda path: path.write_text("a,b\n1,2\n"), "the header does not begin with"),
    "bytes": (lambda path: path.write_bytes(b"\xff\xfe\n"), "codec can't decode"),
    "gone": (Path.unlink, "no history.csv, though the run completed"),
    "a loop of links": (loop, "history.csv: a symbolic link, not a file"),
    "a folder": (folder_instead, "history.csv: a folder, not a file"),
    "a field of a megabyte": (
        lambda path: path.write_text(path.read_text() + "1" * 10**6 + "\n"),
        "a line has 1,000,000 letters or more",
    ),
}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("what", HISTORIES)
def test_a_damaged_history_is_left_out_with_its_reason(study: Any, tmp_path: Path, what: str) -> None:
    damage, reason = HISTORIES[what]
    study.run("good", study.curve(0.5))
    damage(study.run("bad", study.curve(0.5), seed=1) / "history.csv")
    left_out = reported(study.folder, tmp_path / "out")["left_out"]
    assert list(left_out) == ["bad"]
    assert reason in left_out["bad"]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("file", ["result.json", "history.csv"])
def test_a_file_without_read_permission_is_left_out_with_its_reason(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    study.run("good", study.curve(0.5))
    shut = study.run("bad", study.curve(0.5), seed=1) / file
    opened = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:  # a mode of 0 does not stop root
        if path == shut:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    left_out = reported(study.folder, tmp_path / "out")["left_out"]
    assert left_out == {"bad": f"{file} cannot be read: Permission denied"}


def test_a_folder_that_cannot_be_opened_is_named(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study.run("good", study.curve(0.5))
    shut = study.folder / "shut"
    shut.mkdir()
    listed = os.scandir

    def refuse(folder: str | int) -> object:
        if not isinstance(folder, int) and Path(folder) == shut:
            raise PermissionError(13, "Permission denied", str(shut))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    left_out = reported(study.folder, tmp_path / "out")["left_out"]
    assert left_out == {str(shut): "shut cannot be read: Permission denied"}
    capsys.readouterr()
    assert "shut cannot be read: Permission denied" in refused(shut, capsys)


def test_a_folder_without_runs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / ".hydra").write_text("no folder")
    assert "there is no run in" in refused(tmp_path, capsys)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert "there is no folder" in refused(tmp_path / "self", capsys)
    (tmp_path / "file").touch()
    assert "there is no run in" in refused(tmp_path / "file", capsys)


def test_a_study_without_a_readable_run_is_refused_with_the_first_reason(
    study: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        (study.run(f"run{seed}", study.curve(0.5), seed=seed) / "result.json").write_text("[]")
    line = refused(study.folder, capsys)
    assert "none of the 3 runs in" in line
    assert "run0: result.json: not a result: Input should be an object" in line


NOWHERE: Epochs = [(None, None, math.nan, math.nan), (math.nan, math.nan, math.nan, math.nan)]
NOTHING: Epochs = [(None, None, None, None)] * 3


@pytest.mark.parametrize("epochs", [NOWHERE, NOTHING, [(math.inf, -math.inf, math.inf, 0.0)] * 2])
@pytest.mark.parametrize("status", ["completed", "diverged", "failed"])
def test_values_that_are_not_finite_make_a_report_without_numbers(
    study: Any, tmp_path: Path, epochs: Epochs, status: str
) -> None:
    for seed in range(2):
        study.run(f"run{seed}", epochs, {"optimizer.lr": 0.1 * (seed + 1)}, status=status, seed=seed)
    report = reported(study.folder, tmp_path / "out")
    assert [row[status] for row in report["settings"]] == [1, 1]
    assert {row["val_loss_last_mean"] for row in report["settings"]} == {None}


def test_runs_of_different_data_and_metrics_are_in_one_report(study: Any, tmp_path: Path) -> None:
    study.run("digits", study.curve(0.5, 0.9))
    study.run("cut-off", study.curve(0.5), {"data.name": "mnist", "monitor": "val_loss"}, status="failed")
    regression: Epochs = [(None, None, 2.0, None), (1.0, None, 1.5, None)]
    study.run("line", regression, {"data.name": "line", "loss.name": "mean_squared_error"})
    study.descent("descent", [(1.0, 1.0), (0.5, 0.5)], [2.0, 0.5])
    report = reported(study.folder, tmp_path / "out")
    assert {row["run"] for row in report["runs"]} == {"digits", "cut-off", "line", "descent"}
    assert report["metric"] == "val_accuracy"
    assert report["monitor"] is None


ODD_CONFIGURATIONS: list[tuple[dict[str, Any], str]] = [
    ({"monitor": ["val_loss"]}, "config.monitor"),
    ({"model": "mlp"}, "config.model: should be a group of keys"),
    ({"data": []}, "config.data"),
    ({"seeds": 3}, "config.seeds"),
    ({"epochs": "many"}, "config.epochs"),
    ({"": ""}, "config: '' is not a key"),
    ({"a.b": 1}, "config: 'a.b' is not a key"),
    ({"seed": 10**400}, "a number does not fit into 64 bits"),
    ({"optimizer": {"name": ["adam"]}}, "config.optimizer.name"),
]


def test_configurations_that_no_report_could_use_are_left_out(study: Any, tmp_path: Path) -> None:
    study.run("good", study.curve(0.5, 0.6))
    for index, (config, _) in enumerate(ODD_CONFIGURATIONS):
        study.run(f"run{index}", study.curve(0.5, 0.6), config=config)
    report = reported(study.folder, tmp_path / "out")
    assert [row["run"] for row in report["runs"]] == ["good"]
    for index, (_, reason) in enumerate(ODD_CONFIGURATIONS):
        assert reason in report["left_out"][f"run{index}"]


def test_other_configurations_are_reported(study: Any, tmp_path: Path) -> None:
    odd = [{"loss": {}, "x": [[[]]]}, {"seeds": {}, "model": {"width": {}}}, {"optimizer": {"lr": "fast"}}]
    for index, config in enumerate(odd):
        study.run(f"run{index}", study.curve(0.5, 0.6), config=config)
    assert len(reported(study.folder, tmp_path / "out")["runs"]) == len(odd)


def test_odd_facts_of_a_result_are_reported(study: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5), data={"classes": 5, "train": "x"}, layers=[{"a": 1}], parameters=None)
    study.run("b", study.curve(0.5), seed=1, data={"classes": [None, {}]}, versions={}, device=None)
    assert len(reported(study.folder, tmp_path / "out")["runs"]) == 2


def test_thousands_of_keys_are_reported(study: Any, tmp_path: Path) -> None:
    for seed in range(4):
        keys = {f"key{index}": (seed + 1) * index % 9973 for index in range(3000)}
        study.run(f"run{seed}", study.curve(0.5, 0.6), {"extra": keys}, seed=seed)
    report = reported(study.folder, tmp_path / "out")
    assert len(report["settings"]) == 4
    assert all(len(row["label"]) < 400 for row in report["settings"])


@pytest.mark.parametrize("key", ["run", "epoch", "status", "seconds"])
def test_keys_named_like_columns_of_runs_are_reported(study: Any, tmp_path: Path, key: str) -> None:
    for index in range(2):
        study.run(f"run{index}", study.curve(0.5, 0.6 + index / 10), {key: f"<{index}>"}, seed=index)
    report = reported(study.folder, tmp_path / "out")
    assert [row["values"] for row in report["settings"]] == [{key: "<1>"}, {key: "<0>"}]


@pytest.mark.parametrize("key", ["label", "runs", "setting", "completed", "val_accuracy_last_mean"])
def test_keys_named_like_columns_of_the_table_are_refused(
    study: Any, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    for index in range(2):
        study.run(f"run{index}", study.curve(0.5), {key: index}, seed=index)
    assert f"'{key}' has the name of a column" in refused(study.folder, capsys)
