"""`dlx data`: the list, and fetching a data set ahead of time."""

from pathlib import Path

import pytest

from dlx.cli import main


def test_the_list_names_every_data_set_with_a_sentence(capsys):
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("digits ") and "8x8" in line for line in lines)
    assert "surface        Gradient descent on a surface" in " ".join(lines)
    assert not any(" dlx train " in line for line in lines)
    assert {line.split()[0] for line in lines} >= {"mnist", "fashion_mnist", "cifar10", "npz", "image_folder"}


def test_preparing_prints_what_a_data_set_holds(capsys):
    assert main(["data", "prepare", "digits"]) == 0
    assert capsys.readouterr().out == "digits: ready; 1797 train, 1x8x8, 10 classes\n"


def test_preparing_accepts_files_that_are_there(capsys):
    root = Path(__file__).parents[3] / "shared" / "data"
    if not root.is_dir():
        pytest.skip("the development data is not here")
    assert main(["data", "prepare", "mnist", f"data.root={root}"]) == 0
    assert capsys.readouterr().out == "mnist: ready; 60000 train, 10000 test, 1x28x28, 10 classes\n"


def test_a_data_set_in_the_users_own_conf_is_listed_and_prepared(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "mine.yaml").write_text("# Digits of mine.\ndefaults: [digits]\n")
    assert main(["data", "list"]) == 0
    assert "mine           Digits of mine.\n" in capsys.readouterr().out
    assert main(["data", "prepare", "mine"]) == 0
    assert capsys.readouterr().out.startswith("mine: ready; 1797 train")
