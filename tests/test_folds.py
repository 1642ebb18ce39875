"""`dlx train data.folds=3`: each fold is a run, folds of several settings stack, and predictions are written."""

import csv
from pathlib import Path

import numpy as np
import pytest

from dlx.build import with_seeds_of_fold
from dlx.cli import main
from dlx.compose.request import compose
from dlx.run.out_of_fold import OUT_OF_FOLD
from dlx.run.paths import find_runs
from dlx.run.predictions import read_predictions, read_rows
from dlx.run.result import read_result

SAMPLES = 31  # of 3 classes
WORDS = ["data=npz", "data.path=mine.npz", "data.folds=3", "model=linear", "epochs=1", "batch_size=10"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 3, SAMPLES)
    np.savez(
        "mine.npz", X=draws.normal(size=(SAMPLES, 4)) + labels[:, None], y=np.array(["a", "b", "c"])[labels]
    )


def trained(*words, name="mine"):
    assert main(["train", *WORDS, *words, f"name={name}"]) == 0
    return {folder: read_result(folder) for folder in find_runs(Path("outputs", name))}


def table(file):
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def test_each_sample_is_predicted_by_the_run_that_did_not_train_on_it(capsys):
    results = trained("data.repeats=2", "optimizer.lr=0.01,0.1", "launcher.processes=1")
    assert len(results) == 12
    # 31 samples: 20 or 21 to train on, so all settings fall into two stacks
    assert sorted({(result.cohort, result.data["train"]) for result in results.values()}) == [
        (4, 20),
        (8, 21),
    ]
    files = sorted(Path("outputs/mine").glob(f"*/{OUT_OF_FOLD}"))
    assert len(files) == 4
    assert all("f1-" in file.parent.name for file in files)
    assert "predictions of all folds: outputs/mine/*/out_of_fold.csv (4 files)" in capsys.readouterr().out
    labels = np.load("mine.npz")["y"]
    for file in files:
        rows = table(file)
        assert [int(row["index"]) for row in rows] == list(range(SAMPLES))
        assert [row["label"] for row in rows] == list(labels)
        config = read_result(file.parent).config
        for folder, result in results.items():
            place, other = result.config["data"], config["data"]
            if (place["repeat"], result.config["optimizer"]) != (other["repeat"], config["optimizer"]):
                continue
            of_fold = [row for row in rows if int(row["fold"]) == place["fold"]]
            outputs = read_predictions(folder).last_outputs.astype(float)
            powers = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
            order = np.argsort(read_rows(folder))
            written = [[float(row[f"probability_{name}"]) for name in "abc"] for row in of_fold]
            np.testing.assert_allclose(written, powers[order], rtol=1e-6)
            right = np.mean([row["prediction"] == row["label"] for row in of_fold])
            assert right == pytest.approx(result.last["val_accuracy"])


def test_asking_again_trains_nothing_and_more_repeats_train_only_their_own_folds():
    before = {folder: result.time_seconds for folder, result in trained().items()}
    file = next(Path("outputs/mine").glob(f"*/{OUT_OF_FOLD}"))
    content, time = file.read_bytes(), file.stat().st_mtime_ns
    after = {folder: result.time_seconds for folder, result in trained("data.repeats=2").items()}
    assert len(after) == 6
    assert {folder: after[folder] for folder in before} == before
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (content, time)
    file.unlink()
    trained("data.repeats=2")
    assert file.read_bytes() == content


def test_each_fold_draws_its_own_first_weights_and_order():
    first, second = (with_seeds_of_fold(run.settings) for run in compose(["data.folds=3"]).runs[:2])
    (alone,) = compose(["data.split_seed=0"]).runs
    assert with_seeds_of_fold(alone.settings) is alone.settings
    assert len({seed for settings in (first, second, alone.settings) for _, seed in settings.seeds}) == 3
    repeated = compose(["data.folds=3", "data.repeats=2"]).runs[3]
    assert with_seeds_of_fold(repeated.settings).seeds != first.seeds
    again = with_seeds_of_fold(compose(["data.folds=3", "optimizer.lr=0.5"]).runs[0].settings)
    assert again.seeds == first.seeds  # settings are paired by fold


def test_numbers_and_yes_or_no_labels_have_predictions_of_their_own():
    draws = np.random.default_rng(1)
    inputs = draws.normal(size=(SAMPLES, 4))
    np.savez("mine.npz", X=inputs, y=inputs.sum(axis=1) + 0.5)
    trained("loss=mean_squared_error", "monitor=val_loss", name="numbers")
    (file,) = Path("outputs/numbers").glob(f"*/{OUT_OF_FOLD}")
    rows = table(file)
    assert list(rows[0]) == ["index", "fold", "label", "prediction"]
    np.testing.assert_allclose([float(row["label"]) for row in rows], inputs.sum(axis=1) + 0.5, rtol=1e-5)
    np.savez("mine.npz", X=inputs, y=(inputs[:, :2] > 0).astype(int) + [[0, 0]])
    trained("loss=binary_cross_entropy", "monitor=val_loss", name="labels")
    (file,) = Path("outputs/labels").glob(f"*/{OUT_OF_FOLD}")
    rows = table(file)
    assert [int(row["label_1"]) for row in rows] == list((inputs[:, 0] > 0).astype(int))
    for row in rows:
        assert (float(row["probability_2"]) > 0.5) == (row["prediction_2"] == "1")
