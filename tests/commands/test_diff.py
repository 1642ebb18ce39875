"""`dlx diff` says in what two runs, settings or studies differ."""

import json
import re
import shutil

import pytest

from dlx.cli import main
from dlx.run.history import first_difference, read_columns
from dlx.run.paths import HISTORY

SMALL = ("epochs=3", "data.train_size=60", "data.val_size=50", "model.width=4", "launcher.processes=1")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Return a folder with two studies, whose batch sizes differ."""
    root = tmp_path_factory.mktemp("outputs")
    grid = ["seed=0,1,2", "model=mlp,mlp_bn", "optimizer.lr=0.03"]
    for name, size in (("first", 20), ("second", 30)):
        words = [f"batch_size={size}", f"name={name}", f"output_root={root}"]
        assert main(["train", *SMALL, *grid, *words]) == 0
    return root


@pytest.fixture
def said(outputs, capsys, monkeypatch):
    """Return what `dlx diff` prints, in one line."""
    monkeypatch.chdir(outputs)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words, code=0):
        assert main(["diff", *words]) == code
        captured = capsys.readouterr()
        assert max(map(len, captured.out.splitlines()), default=0) <= 80
        return " ".join((captured.err if code else captured.out).split())

    return run


def scores(outputs, study, norm):
    found = {}
    for path in outputs.glob(f"{study}/*/result.json"):
        result = json.loads(path.read_text())
        if result["config"]["model"]["norm"] == norm:
            found[result["config"]["seed"]] = result["last"]["val_accuracy"]
    return [found[seed] for seed in (0, 1, 2)]


def test_two_studies_are_compared_setting_by_setting(said, outputs):
    text = said("first", "second")
    assert "A first 6 runs of 2 settings B second 6 runs of 2 settings" in text
    assert "Settings A B batch_size 20 30 Settings that change" in text
    assert "6 of 6 pairs of runs part in epoch 1: first " in text
    for norm in ("none", "batch"):
        pairs = zip(scores(outputs, "second", norm), scores(outputs, "first", norm), strict=True)
        difference = sum(100 * (b - a) for b, a in pairs) / 3
        digits = 1 if abs(difference) >= 1 else 2
        assert f"{abs(difference):.{digits}f} points {'higher' if difference > 0 else 'lower'}" in text
    assert "corrected for 2 tests" in text


def test_two_settings_of_one_study_are_named_as_they_were_typed(said):
    text = said("first:model=mlp", "model=mlp_bn")
    assert "model.norm none batch" in text
    assert "3 of 3 pairs of runs part" in text
    assert "over 3 seeds" in text


def test_a_study_does_not_differ_from_its_copy(said, outputs):
    if not (outputs / "copy").exists():
        shutil.copytree(outputs / "first", outputs / "copy")
    text = said("first", "copy")
    assert "Settings: no difference" in text
    assert "Environment: no difference" in text
    assert "The histories are equal in every epoch (6 pairs of runs)" in text
    assert "have the same score in each seed" in text


def test_another_version_of_the_environment_is_named(said, outputs):
    other = outputs / "older"
    shutil.copytree(outputs / "first", other, dirs_exist_ok=True)
    for path in other.glob("*/result.json"):
        result = json.loads(path.read_text())
        result["versions"]["torch"], result["threads"] = "1.9", 64
        path.write_text(json.dumps(result))
    text = said("older", "first")
    assert " torch 1.9 " in text
    assert " threads 64 " in text


def test_a_side_with_several_values_of_what_differs_gets_no_verdict(said):
    text = said("first", "first:model=mlp")
    assert "No verdict, because A has several values of model.norm. Name one setting, as in " in text
    example = re.search(r"as in (\S+)\.$", text, re.MULTILINE)[1]
    assert "No verdict" not in said(example, "first:model=mlp"), "the example can be typed as it is"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("first", "nowhere/x"), "there is no folder 'nowhere/x'"),
        (("first:model=cnn", "second"), "first: no setting is 'model=cnn'"),
        (("first",), "B is missing"),
        (("first", "second", "--metric", "speed"), "'speed' is not one of"),
    ],
)
def test_what_names_no_runs_is_refused(said, words, error):
    assert error in said(*words, code=2)


def test_histories_part_in_the_first_epoch_with_another_number(outputs):
    one = read_columns(next(outputs.glob("first/*")) / HISTORY)
    assert first_difference(one, one) is None
    other = {name: column.copy() for name, column in one.items()}
    other["time"] += 1
    assert first_difference(one, other) is None
    other["val_loss"][2] += 1e-12
    assert first_difference(one, other) == 2
    assert first_difference(one, {name: column[:2] for name, column in one.items()}) == 2
