"""`import dlx` in Python does as the commands do, and returns what they write."""

import doctest

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

import dlx
from dlx import api
from dlx.cli import main
from dlx.errors import RequestError
from dlx.run.predictions import read_predictions

QUICK = {"data": {"train_size": 200, "val_size": 100}, "model.width": 8, "epochs": 2}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two settings with three seeds each, trained from Python."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("api")
        patch.chdir(folder)
        yield dlx.train("model=mlp,mlp_bn", seed=range(3), name="mine", keep="last", **QUICK)


@pytest.fixture(autouse=True)
def _beside_the_study(study, monkeypatch):
    monkeypatch.chdir(study.folders[0].resolve().parents[1])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": range(3)}, ["seed=0,1,2"]),
        ({"optimizer": {"lr": [0.1, 1e-5]}}, ["optimizer.lr=0.1,1e-05"]),
        ({"model.sizes": [[64], [64, 32]]}, ["model.sizes=[64],[64,32]"]),
        ({"rerun": True, "slug": None}, ["rerun=true", "slug=null"]),
        ({"optimizer.lr": np.float32(0.5)}, ["optimizer.lr=0.5"]),
        ({"name": "true", "slug": "a b"}, ["name='true'", "slug='a b'"]),
        ({"model": ("mlp", "mlp_bn")}, ["model=mlp,mlp_bn"]),
    ],
)
def test_python_values_become_the_words_of_the_command_line(settings, words):
    assert api.as_words(settings) == words


def test_words_are_composed_as_they_are_meant(study):
    settings = study.settings
    assert settings["model.width"].unique().tolist() == [8]
    assert sorted(settings["model.norm"].unique()) == ["batch", "none"]
    assert sorted(study.runs["seed"]) == [0, 0, 1, 1, 2, 2]


def test_training_again_returns_the_same_runs(study, capsys):
    again = dlx.train("model=mlp,mlp_bn", seed=range(3), name="mine", keep="last", **QUICK)
    assert "completed before" in capsys.readouterr().out
    pd.testing.assert_frame_equal(again.runs, study.runs)


def test_a_run_that_fails_is_named_in_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="1 of 1 runs did not complete"):
        dlx.train(optimizer={"lr": 1e30}, **QUICK)


def test_a_wrong_request_is_one_line():
    with pytest.raises(ValueError, match=r"optimizer='adm'.*Did you mean 'adam'|adm") as raised:
        dlx.train(optimizer="adm")
    assert isinstance(raised.value, RequestError)
    assert "\n" not in str(raised.value)


def test_the_report_is_the_commands(study, capsys):
    report = study.report(metric="val_loss", output="shown")
    assert main(["report", "outputs/mine", "--metric", "val_loss", "--output", "typed"]) == 0
    assert report.answer in " ".join(capsys.readouterr().out.split())
    shown, typed = (pd.read_csv(f"{folder}/table.csv") for folder in ("shown", "typed"))
    pd.testing.assert_frame_equal(shown, typed)
    pd.testing.assert_frame_equal(report.table, typed)
    assert "dlx report outputs/mine --metric val_loss" in report.page.read_text()
    assert repr(report).startswith(report.answer)


def test_a_notebook_shows_the_answer_the_picture_and_the_table(study):
    shown = study.report()._repr_html_()
    assert "data:image/svg+xml;base64," in shown
    assert shown.count("<tr") == 1 + 2, "a heading and two settings"
    hostile = api.load(study.folders[0]).report()
    object.__setattr__(hostile, "answer", "<script>")
    assert "<script>" not in hostile._repr_html_()


def test_comparisons_are_those_of_the_report(study):
    compared = study.compare(baseline="norm=none")
    report = study.report(baseline="norm=none")
    pd.testing.assert_frame_equal(compared, pd.read_csv(report.page.with_name("comparisons.csv")))
    of_norm = compared[compared["reference_is"] == "baseline"].iloc[0]
    means = study.runs.groupby("model.norm")["val_accuracy_last"].mean()
    assert of_norm["difference"] == pytest.approx(means["batch"] - means["none"])


def test_charts_are_altairs(study):
    altair = pytest.importorskip("altair")
    assert isinstance(study.plot("accuracy"), altair.TopLevelMixin)
    with pytest.raises(RequestError, match=r"no chart 'acuracy'. Did you mean 'accuracy'|acuracy.*answer"):
        study.plot("acuracy")


def test_a_loaded_model_computes_what_was_recorded(study):
    run = study.folders[0] / study.runs.index[0]
    trained = dlx.load_model(run)
    images = torch.tensor(load_digits().images[:, None])  # as the data set stores them
    with torch.no_grad():
        outputs_NK = trained.model(trained.transform(images))
    recorded_MK = torch.tensor(read_predictions(run).last_outputs.astype(np.float32))
    distances_M, found_M = torch.cdist(recorded_MK, outputs_NK).min(1)
    assert distances_M.max() < 0.01, "what is recorded is rounded"
    assert len(found_M.unique()) > 90, "of 100 validation samples"
    assert (trained.classes, trained.epoch) == (tuple("0123456789"), 2)
    assert not trained.model.training


def test_scores_are_the_commands(study, capsys):
    scored = dlx.evaluate("outputs/mine", split="val")
    assert scored["chosen_from"].tolist() == [6]
    assert scored["accuracy"].iloc[0] == study.runs["val_accuracy_last"].max()
    assert main(["evaluate", "outputs/mine", "--split", "val"]) == 0
    assert f"{scored['accuracy'].iloc[0]:.4f}" in capsys.readouterr().out
    again = dlx.evaluate("outputs/mine", split="val")
    assert again["looks_before"].iloc[0] > scored["looks_before"].iloc[0]


def test_results_say_what_they_are(study):
    said = repr(study)
    assert said.startswith("6 runs in outputs/mine\nnorm ")
    assert ".report()" in said


def test_examples_in_docstrings_run():
    tests = list(doctest.DocTestFinder().find(api.as_words, "as_words", globs=vars(api)))
    assert [doctest.DocTestRunner().run(test).failed for test in tests] == [0]
