"""`dlx.load`: tidy frames of what a report would read, and its docstring's example is true."""

import doctest
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dlx
from dlx.errors import RequestError


def a_sweep(study: Any) -> None:
    for lr, first, last in ((0.001, 0.5, 0.75), (0.01, 0.8, 0.9)):
        for seed in range(2):
            study.run(f"lr{lr}-{seed}", study.curve(first, last), {"optimizer.lr": lr}, seed=seed)
    cut = study.run("crashed", study.curve(0.5), seed=2) / "history.csv"
    cut.write_text(cut.read_text()[:-2])


def test_the_example_is_true(builder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a_sweep(builder(Path("outputs/mystudy")))
    (example,) = [
        test for test in doctest.DocTestFinder(recurse=False).find(dlx.load, "load") if test.examples
    ]
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
    assert result.attempted == 7
    assert result.failed == 0, "".join(said)


def test_the_newest_study_is_taken_if_none_is_named(
    builder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_sweep(builder(Path("outputs/mystudy")))
    assert len(dlx.load().runs) == 4


def test_a_run_is_a_row_with_its_settings_and_both_epochs(study: Any) -> None:
    study.run("a", study.curve(0.5, 0.9, 0.8), {"optimizer.name": "adam"})
    study.run("b", study.curve(0.5), {"optimizer.name": "sgd", "optimizer.momentum": 0.9}, status="diverged")
    loaded = dlx.load(study.folder)
    assert loaded.swept == ["optimizer.name"]
    row = loaded.runs.loc["a"]
    assert (row["optimizer.name"], row["val_accuracy_last"], row["val_accuracy_best"]) == ("adam", 0.8, 0.9)
    assert (row["last_epoch"], row["best_epoch"]) == (3, 2)
    assert loaded.runs["status"].to_dict() == {"a": "completed", "b": "diverged"}
    assert loaded.histories.columns[:4].tolist() == ["run", "optimizer.name", "epoch", "step"]
    assert loaded.histories.groupby("optimizer.name")["epoch"].max().to_dict() == {"adam": 3, "sgd": 1}
    assert loaded.settings.loc["b", "optimizer.momentum"] == 0.9
    assert math.isnan(loaded.settings.loc["a", "optimizer.momentum"])


def test_a_swept_key_with_the_name_of_a_column_is_there_once(study: Any) -> None:
    for place, lr in enumerate((0.1, 0.2)):
        study.run(f"run{place}", study.curve(0.5), {"lr": lr, "status": f"odd{place}"}, seed=place)
    loaded = dlx.load(str(study.folder))
    assert loaded.runs.columns.is_unique
    assert loaded.histories.columns.is_unique
    assert loaded.runs["lr"].tolist() == [0.1, 0.2]
    assert loaded.histories["lr"].tolist() == [0.001] * 4  # the history's own


def test_one_run_and_none_are_frames_all_the_same(study: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = dlx.load(tmp_path / "empty")
    assert (len(empty.runs), len(empty.histories), len(empty.settings)) == (0, 0, 0)
    study.run("only", study.curve(0.5), status=None)
    assert dlx.load(study.folder).running == {"only": "epoch 1, val accuracy 0.5000"}
    with pytest.raises(RequestError, match="there is no folder"):
        dlx.load(tmp_path / "nothing")


def test_importing_dlx_imports_nothing_of_its_own_and_nothing_heavy() -> None:
    code = "import sys, dlx; dlx.load; print(*(name.split('.')[0] for name in sys.modules if name != 'dlx'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"dlx", "pandas", "numpy", "torch", "pydantic", "rich"} & set(done.stdout.split())
