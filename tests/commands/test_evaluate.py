"""`dlx evaluate`: scores the checkpoint, records every look, and refuses changed data."""

import json
from pathlib import Path

import pytest
import torch

from dlx.cli import main
from dlx.commands.evaluate import interval
from dlx.run.evaluations import COLUMNS, Evaluation, append_evaluation, read_evaluations
from dlx.run.identity import identity
from dlx.run.result import Result
from dlx.scoring import choose_runs, monitored

QUICK = ["data.train_size=200", "data.val_size=100", "model.width=8", "epochs=2"]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Two runs; the one that learns has the better validation accuracy."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", *QUICK, "keep=best", "optimizer.lr=0.01,0", "name=study"]) == 0
    return Path("outputs/study")


def result_of(run):
    return json.loads((run / "result.json").read_text())


def test_the_name_of_a_run_alone_stands_in_one_line_at_80_columns(study, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    [run] = [run for run in study.glob("mlp*lr0.01*") if run.is_dir()]
    assert main(["evaluate", str(run), "--split", "train"]) == 0
    assert str(run) in capsys.readouterr().out.splitlines()


def test_the_best_run_by_validation_is_scored_on_the_test_split(study, capsys):
    assert main(["evaluate", str(study)]) == 0
    printed = capsys.readouterr().out
    [chosen] = choose_runs(study, every=False).runs
    best, learned = result_of(chosen.folder), "lr0.01" in chosen.folder.name
    assert learned
    assert "the best of 2 runs by val accuracy" in printed
    assert "the first recorded look" in printed
    [look] = read_evaluations(chosen.folder)
    assert f"{look.accuracy:.4f}" in printed
    assert (look.split, look.samples, look.epoch) == ("test", 400, best["best"]["epoch"])
    assert (look.checkpoint, look.chosen_from) == (best["checkpoint_sha256"], 2)


def test_the_stored_weights_are_scored(study):
    [run] = [run for run in study.glob("mlp*lr0.01*") if run.is_dir()]
    main(["evaluate", str(run), "--split", "val"])
    main(["evaluate", str(run)])
    on_validation, on_test = read_evaluations(run)
    assert on_validation.accuracy == result_of(run)["best"]["val_accuracy"]
    assert on_validation.loss == pytest.approx(result_of(run)["best"]["val_loss"], rel=1e-6)

    from dlx.build import build
    from dlx.config import Settings

    built = build(Settings.model_validate_json(json.dumps(result_of(run)["config"])))
    built.model.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["model"])
    built.model.eval()
    with torch.no_grad():
        outputs = built.model(built.data.test.slice(0, 400)[0])
    assert on_test.accuracy == pytest.approx((outputs.argmax(1) == built.data.test.labels).double().mean())


def test_a_second_look_says_how_often_and_when(study, capsys):
    main(["evaluate", str(study)])
    main(["evaluate", str(study), "--all"])
    printed = capsys.readouterr().out
    assert "test split was looked at 1 time before, last on 20" in " ".join(printed.split())
    main(["evaluate", str(study)])
    assert "was looked at 3 times before" in " ".join(capsys.readouterr().out.split())
    main(["evaluate", str(study), "--split", "train"])
    assert "the first recorded look at this study's train split" in capsys.readouterr().out


def test_runs_without_a_checkpoint_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["train", *QUICK, "keep=none", "name=none"])
    assert main(["evaluate", "outputs/none"]) == 2
    assert (
        "no run has a checkpoint, because of keep=none; train again with keep=last" in capsys.readouterr().err
    )
    assert main(["evaluate", "outputs/none", "--all"]) == 2
    assert "has no checkpoint" in capsys.readouterr().err


def test_no_run_is_scored_if_one_has_no_checkpoint(study, capsys):
    main(["train", *QUICK, "keep=none", "optimizer.lr=0.02", "name=study"])
    assert main(["evaluate", str(study), "--all"]) == 2
    error = capsys.readouterr().err
    assert "lr0.02" in error
    assert "has no checkpoint" in error
    assert not list(study.rglob("evaluations.csv"))


def test_changed_data_is_noticed(study, capsys):
    [run] = [run for run in study.glob("mlp*lr0.01*") if run.is_dir()]
    content = result_of(run)
    content["config"]["data"]["split_seed"] = 7
    content["best"]["val_accuracy"] = 0.999
    content["identity"] = identity(content["config"])
    (run / "result.json").write_text(json.dumps(content))
    assert main(["evaluate", str(run)]) == 2
    assert "0.9990 was recorded; the data or the model's code has changed" in capsys.readouterr().err
    assert read_evaluations(run) == []


def test_a_damaged_or_missing_checkpoint_is_refused_in_one_line(study, capsys):
    [run] = [run for run in study.glob("mlp*lr0.01*") if run.is_dir()]
    checkpoint = run / "checkpoint.pt"
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    assert main(["evaluate", str(run)]) == 2
    assert "checkpoint.pt: damaged" in capsys.readouterr().err
    checkpoint.unlink()
    assert main(["evaluate", str(run)]) == 2
    error = capsys.readouterr().err
    assert "no longer exists; rerun=true" in error
    assert error.count("\n") == 1


def test_an_empty_split_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["train", *QUICK, "keep=last", "data.test_size=0", "name=empty"])
    assert main(["evaluate", "outputs/empty"]) == 2
    assert "its data has no test split (data.test_size)" in capsys.readouterr().err


def test_looks_are_read_as_written_and_a_missing_accuracy_stays_missing(tmp_path):
    looks = [
        Evaluation("2026-01-01T00:00:00+00:00", "test", 10, 3, 0.1, 0.7, "ab", 2),
        Evaluation("2026-01-02T00:00:00+00:00", "val", 9, 3, 1e-300, None, "ab", 1),
    ]
    for look in looks:
        append_evaluation(tmp_path, look)
    assert read_evaluations(tmp_path) == looks
    assert (tmp_path / "evaluations.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


def test_the_interval_is_wilsons():
    # Newcombe (1998), table I, 81 of 263: 0.2553 to 0.3662.
    assert interval(81 / 263, 263) == "0.2553 to 0.3662"


def test_a_lower_monitored_loss_is_better():
    rows = {"best": {"val_accuracy": 0.6, "val_loss": 1.6}, "last": {"val_accuracy": 0.5, "val_loss": 1.7}}
    for monitor in ("val_accuracy", "val_loss"):
        result = Result(
            status="completed", identity="0" * 64, config={"monitor": monitor}, parameters=1, **rows
        )
        assert monitored(result, "best") > monitored(result, "last")
        assert monitored(result.model_copy(update={"best": {}}), "best") < monitored(result, "last")


def test_a_module_that_has_changed_since_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    net = "import torch\ndef Net(): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
    Path("evaluated.py").write_text(net)
    own = [
        "model=custom",
        "model.target=evaluated:Net",
        "data.train_size=200",
        "data.val_size=100",
        "epochs=1",
    ]
    assert main(["train", *own, "keep=last", "name=own"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "outputs/own"]) == 0
    printed = "".join(capsys.readouterr().out.split())
    assert "runningevaluated:Net(" in printed
    assert "evaluated.pyhaschanged" not in printed
    said = "evaluated.py has changed since this run was trained (1 line)"
    Path("evaluated.py").write_text(f"{net}unused = True\n")
    assert main(["evaluate", "outputs/own"]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    Path("evaluated.py").write_text(net.replace("Flatten()", "Flatten(), torch.nn.Linear(64, 64)"))
    assert main(["evaluate", "outputs/own"]) == 2
    error = capsys.readouterr().err
    assert "Missing key(s) in state_dict" in error
    assert error.endswith(f"; {said}\n")
