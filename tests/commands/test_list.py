"""`dlx list` shows every study in a line, with what is best in it."""

import json
import os
from pathlib import Path

import pytest

from dlx.cli import main

SMALL = ("epochs=3", "data.train_size=300", "data.val_size=50", "model.width=16", "launcher.processes=1")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Return a folder with three studies: of two settings, of one, and one whose runs have not all ended."""
    root = tmp_path_factory.mktemp("outputs")
    words = {
        "rates": ["optimizer.lr=0.03,1e-9", "seed=0,1"],
        "single": ["model=mlp_bn"],
        "part": ["seed=0,1"],
    }
    for number, (name, more) in enumerate(words.items()):
        assert main(["train", *SMALL, *more, f"name={name}", f"output_root={root}"]) == 0
        for path in [root / name, *root.joinpath(name).rglob("*")]:
            os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    next(root.glob("part/*-s1-*/result.json")).unlink()
    return root


def listed(root, capsys):
    assert main(["list", str(root), "--json"]) == 0
    return {Path(each["study"]).name: each for each in json.loads(capsys.readouterr().out)}


def test_each_study_has_its_runs_state_best_setting_and_score(outputs, capsys):
    found = listed(outputs, capsys)
    results = [json.loads(path.read_text()) for path in outputs.glob("rates/*lr0.03-*/result.json")]
    last = [result["last"]["val_accuracy"] for result in results]
    rates = found["rates"]
    assert (rates["done"], rates["asked"], rates["state"], rates["best"]) == (4, 4, "completed", "lr 0.03")
    assert rates["score"] == pytest.approx(sum(last) / 2)
    assert (found["part"]["done"], found["part"]["asked"], found["part"]["state"]) == (1, 2, "unfinished")
    assert found["single"]["best"] == "mlp_bn, adam", "as one trains with it"


def test_the_newest_study_comes_first_and_eighty_columns_hold_the_table(outputs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list", str(outputs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split()[0] for line in lines if line[:1] == " " and "/" in line]
    assert rows == ["part", "single", "rates"]
    assert max(map(len, lines)) <= 80


def test_a_folder_without_studies_is_refused(tmp_path, capsys):
    assert main(["list", str(tmp_path)]) == 2
    assert f"there is no study under {tmp_path}/" in capsys.readouterr().err
