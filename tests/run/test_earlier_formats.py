"""Folders of earlier versions of dlx are read, scored and continued; those of newer ones are refused."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

import dlx
from dlx.cli import main
from dlx.run.format_version import FORMAT
from dlx.run.result import read_result

EARLIER = Path(__file__).parent / "earlier"
# By folder: validation accuracy and loss at the last epoch of seeds 0 and 1, as the version of that time had
# printed them.
RECORDED = {
    "before_studies": {0: (0.14, 2.144128302335739), 1: (0.10, 2.3421653842926027)},
    "format_1_weights": {0: (0.14, 2.144128271341324), 1: (0.10, 2.3421653842926027)},
    "format_1": {0: (0.15, 2.3427100598812105), 1: (0.0, 2.341727977991104)},
    "format_2": {0: (0.15, 2.3427100598812105), 1: (0.0, 2.341727977991104)},
}
# The words that the requests of the recorded studies have.
WORDS = {
    "format_1_weights": ("optimizer.lr=0.1", "data.train_size=200", "data.val_size=50"),
    "format_1": ("optimizer.lr=0.01", "data.train_size=100", "data.val_size=20", "data.test_size=40"),
}
WORDS["format_2"] = WORDS["format_1"]


@pytest.fixture(params=RECORDED)
def name(request):
    return request.param


@pytest.fixture
def study(name, tmp_path, monkeypatch):
    """Return a copy of a recorded study, where its request put it."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(EARLIER / name, Path("outputs", "first")))


def train(name, *words):
    small = ("model=mlp", "model.width=4", "keep=last", "name=first", "launcher.processes=1")
    return main(["train", *small, *WORDS[name], *words])


def run_of(study, seed):
    [run] = study.glob(f"mlp-*adam-*-s{seed}-*")
    return run


def bytes_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_load_has_the_recorded_numbers(study, name):
    loaded = dlx.load(study)
    for _, run in loaded.runs.iterrows():
        assert (run.status, run.epochs_run, run.parameters) == ("completed", 2, 300)
        assert (run.val_accuracy_last, run.val_loss_last) == RECORDED[name][run.seed]
    assert loaded.histories.epoch.tolist() == 2 * [0, 1, 2]


def test_report_list_and_diff_read_it(study, name, capsys):
    accuracies = [accuracy for accuracy, _ in RECORDED[name].values()]
    assert main(["report", str(study)]) == 0
    [setting] = json.loads((study / "report" / "report.json").read_text())["settings"]
    assert setting["val_accuracy_last_mean"] == pytest.approx(sum(accuracies) / 2)
    capsys.readouterr()
    assert main(["list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["done"], listed["score"]) == (2, pytest.approx(sum(accuracies) / 2))
    assert main(["diff", str(run_of(study, 0)), str(run_of(study, 1))]) == 0
    assert "Code and data: no difference" in capsys.readouterr().out


def test_its_weights_still_reach_their_recorded_score(study, name):
    scores = dlx.evaluate(study, split="val", every=True)
    assert scores["accuracy"].tolist() == pytest.approx([each[0] for each in RECORDED[name].values()])
    assert scores["loss"].tolist() == pytest.approx([each[1] for each in RECORDED[name].values()], rel=1e-4)
    net = dlx.load_model(run_of(study, 0))
    assert net.model(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


@pytest.mark.parametrize("name", WORDS, indirect=True)
def test_its_finished_runs_are_not_trained_again(study, name):
    before = bytes_of(run_of(study, 0)) | bytes_of(run_of(study, 1))
    assert train(name, "epochs=2", "seed=0,1,5") == 0
    assert bytes_of(run_of(study, 0)) | bytes_of(run_of(study, 1)) == before
    [added] = study.glob("mlp-w4-adam-*-s5-*")
    assert read_result(added).status == "completed"
    assert dlx.load(study).settings["seed"].tolist() == [0, 1, 5]


@pytest.mark.parametrize("name", ["format_1"], indirect=True)
def test_an_interrupted_run_goes_on_from_its_checkpoint(study, name, capsys):
    killed = pd.read_csv(run_of(study, 2) / "history.csv")
    assert train(name, "epochs=4", "checkpoint.every=1", "seed=2,3") == 0
    assert "2 runs go on from the last checkpoint" in capsys.readouterr().out
    continued = pd.read_csv(run_of(study, 2) / "history.csv")
    assert continued.epoch.tolist() == [0, 1, 2, 3, 4]
    assert continued[:3].equals(killed)  # the column of seconds, too
    assert train(name, "epochs=4", "seed=2,3", "name=afresh") == 0
    [afresh] = Path("outputs", "afresh").glob("*-s2-*")
    assert continued.val_loss.tolist() == pytest.approx(
        pd.read_csv(afresh / "history.csv").val_loss, rel=1e-4
    )


@pytest.mark.parametrize("name", WORDS, indirect=True)
def test_longer_training_continues_from_the_optimizers_state_if_it_is_there(study, name, capsys):
    before = run_of(study, 0)
    assert train(name, "epochs=4", "seed=0,1") == 0
    printed = capsys.readouterr().out
    if name != "format_1_weights":
        assert "2 runs are continued from epoch 2" in printed
    else:
        assert "2 runs are trained anew" in printed
        assert "does not hold the optimizer's state" in printed
    [longer] = [run for run in study.glob("mlp-w4-adam-*-s0-*") if run != before]
    recorded = pd.read_csv(before / "history.csv")
    assert pd.read_csv(longer / "history.csv").val_loss[:3].tolist() == pytest.approx(
        recorded.val_loss, rel=1e-4
    )


NEWER = f"format {FORMAT + 1}; this version reads up to {FORMAT}); install a newer dlx"


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """Return a study whose files have a number that this version does not know, and an unknown status."""
    monkeypatch.chdir(tmp_path)
    study = Path(shutil.copytree(EARLIER / "format_1", Path("outputs", "first")))
    for path in study.rglob("result.json"):
        path.write_text(
            json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1, "status": "perfect"})
        )
    for path in study.glob(".study/requests/*.json"):
        path.write_text(json.dumps({"format": FORMAT + 1, "asked": "in another way"}))
    return study


@pytest.mark.parametrize("command", ["report", "evaluate", "diff", "status", "train"])
def test_a_newer_folder_is_refused_with_the_remedy_and_left_alone(newer, command, capsys):
    before = bytes_of(newer)
    if command == "train":
        code = train("format_1", "epochs=2", "seed=0,1")
    else:
        code = main([command, str(newer), *([str(newer)] if command == "diff" else [])])
    assert code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if "newer" in line]
    assert NEWER in line
    assert bytes_of(newer) == before


def test_list_names_a_newer_study(newer, capsys):
    assert main(["list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["state"], listed["score"]) == ("of a newer dlx", None)


def test_a_run_of_a_newer_version_is_left_out_of_a_report_with_the_reason(newer, tmp_path):
    shutil.copytree(EARLIER / "format_1_weights", tmp_path / "other")
    loaded = dlx.load(newer, tmp_path / "other")
    assert len(loaded.runs) == 2
    assert all(NEWER in loaded.left_out[run] for run in loaded.left_out if "lr0.01-b32-s0" in run)
    assert any("lr0.01-b32-s0" in run for run in loaded.left_out)


def test_what_is_written_now_has_the_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train("format_1", "epochs=1") == 0
    [run] = Path("outputs", "first").glob("mlp-*")
    assert json.loads((run / "result.json").read_text())["format"] == FORMAT
    [request] = Path("outputs", "first", ".study", "requests").glob("*.json")
    assert json.loads(request.read_text())["format"] == FORMAT


def test_a_study_of_own_code_goes_on_under_its_earlier_names(tmp_path, monkeypatch):
    """Folders were once called custom, and their runs custom-..., whatever the code was called."""
    monkeypatch.chdir(tmp_path)
    Path("ownparts.py").write_text(
        "import numpy as np\nfrom torch import nn\n\n\n"
        "def load():\n    return np.eye(40, 3, dtype='float32'), np.arange(40) % 2\n\n\n"
        "def Tiny(input_shape, outputs):\n    return nn.Linear(input_shape[0], outputs)\n"
    )
    words = ["train", "model.target=ownparts:Tiny", "data.target=ownparts:load", "epochs=1"]
    assert main([*words, "seed=0"]) == 0
    [run] = Path("outputs").glob("*/*-s0-*")
    assert (run.parent.name, run.name[:10]) == ("ownparts.load", "Tiny-adam-")
    earlier = Path("outputs", "custom", run.name.replace("Tiny", "custom"))
    run.parent.rename(earlier.parent)
    (earlier.parent / run.name).rename(earlier)
    for path in earlier.parent.glob(".study/**/*.json"):
        path.write_text(path.read_text().replace(run.name, earlier.name))
    before = bytes_of(earlier)
    assert main([*words, "seed=0,1"]) == 0
    assert bytes_of(earlier) == before
    assert [study.name for study in Path("outputs").iterdir()] == ["custom"]
    assert len([*Path("outputs", "custom").glob("*-adam-*")]) == 2
    assert main([*words, "seed=0", "output_root=other", "name=chosen"]) == 0
    assert [study.name for study in Path("other").iterdir()] == ["chosen"]
