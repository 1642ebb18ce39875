"""`engine=stacked` on the command line leaves the files that each run would leave alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dlx.cli import main
from dlx.run.checkpoint import read_checkpoint
from dlx.run.history import read_history
from dlx.run.paths import find_runs
from dlx.run.predictions import read_predictions
from dlx.run.result import read_result

QUICK = ["data.train_size=90", "data.val_size=40", "batch_size=25", "epochs=2"]


IMAGES = ["data=npz", "data.root=.", "data.path=images.npz"]  # of 12 x 12 pixels, in 4 classes


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 4, 140)
    inputs = draws.integers(0, 100, (140, 1, 12, 12)) + 50 * labels[:, None, None, None]
    np.savez("images.npz", inputs=inputs.astype(np.uint8), labels=labels)


def trained(engine, *words, code=0):
    """Train a study and return its run folders by their configuration without the engine."""
    assert main(["train", *QUICK, *words, f"engine={engine}", f"name={engine}"]) == code
    runs = {}
    for folder in find_runs(Path(f"outputs/{engine}")):
        config = dict(read_result(folder).config)
        key = str({name: config[name] for name in config if name not in ("engine", "name")})
        runs[key] = folder
    return runs


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["model=mlp,mlp_bn,mlp_ln", "model.dropout=0,0.3", "optimizer=sgd,adam"],
        ["model=mlp", "optimizer=muon,rmsprop", "schedule=one_cycle,cosine", "loss.label_smoothing=0,0.1"],
        ["model=cnn", "model.channels=[3,4]", "augment.noise=0,0.2", "augment.flip=true,false", "keep=best"],
        [
            *IMAGES,
            "model=lenet",
            "augment.noise=0.1",
            "augment.shift=0,1",
            "schedule=one_cycle",
            "optimizer.lr=0.01,0.02",
        ],
        ["model=resnet", "model.blocks=1", "model.width=4", "seed=0,1,2", "augment.shift=1"],
        [
            "data.split_seed=0,1",
            "seed=0,1",
            "probes.gradients=true",
            "probes.steps=true",
            "probes.classes=true",
        ],
    ],
)
def test_every_run_leaves_the_files_it_would_leave_alone(words):
    alone, together = trained("loop", *words), trained("stacked", *words)
    assert sorted(alone) == sorted(together)
    for key, folder in together.items():
        result, own = read_result(folder), read_result(alone[key])
        assert (result.status, result.engine, own.engine) == ("completed", "stacked", "loop")
        assert result.cohort > 1
        mine, theirs = read_history(folder / "history.csv"), read_history(alone[key] / "history.csv")
        assert list(mine.columns) == list(theirs.columns)
        for name in ("train_loss", "val_loss"):
            assert mine[name][1] == pytest.approx(theirs[name][1], rel=1e-4)
        assert {path.name for path in folder.iterdir()} == {path.name for path in alone[key].iterdir()}
        assert "completed after epoch 2" in (folder / "train.log").read_text()
        assert read_predictions(folder).labels.tolist() == read_predictions(alone[key]).labels.tolist()
        if result.checkpoint_sha256:
            weights = read_checkpoint(folder, result.checkpoint_sha256)["model"]
            shapes = read_checkpoint(alone[key], own.checkpoint_sha256)["model"]
            assert {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in shapes.items()}
    losses = [read_history(folder / "history.csv")["val_loss"][2] for folder in together.values()]
    assert len(set(losses)) == len(losses), "members must differ"


@pytest.mark.slow
def test_final_accuracies_over_ten_seeds_do_not_differ_between_engines():
    words = ["model=mlp_bn", "model.dropout=0.2", "augment.noise=0.3", "schedule=cosine", "epochs=6"]
    words += [f"seed={','.join(map(str, range(10)))}", "data.train_size=400", "data.val_size=300"]
    alone, together = trained("loop", *words), trained("stacked", *words)
    accuracies = [
        [read_result(runs[key]).last["val_accuracy"] for key in alone] for runs in (alone, together)
    ]
    assert np.std(accuracies[1]) > 0, "members must differ"
    differences = np.subtract(*accuracies)
    assert abs(differences.mean()) < 0.01
    assert differences.std() == 0 or stats.ttest_1samp(differences, 0).pvalue > 0.01


def test_a_diverging_run_ends_and_its_neighbours_go_on(capsys):
    words = ["optimizer=sgd", "optimizer.lr=0.1,1e30,0.01"]
    together = trained("stacked", *words, code=1)
    statuses = sorted(read_result(folder).status for folder in together.values())
    assert statuses == ["completed", "completed", "diverged"]
    assert "1 of 3 runs did not complete" in capsys.readouterr().err
    alone = trained("loop", *words, code=1)
    for key, folder in together.items():
        mine, own = read_result(folder), read_result(alone[key])
        assert (mine.status, mine.epochs_run) == (own.status, own.epochs_run)
        if mine.status == "completed":
            assert mine.last["val_loss"] == pytest.approx(own.last["val_loss"], rel=1e-4)


def test_runs_stop_early_one_by_one():
    words = ["epochs=30", "early_stopping.patience=2", "optimizer.lr=0.001,0", "monitor=val_loss"]
    ended = {folder.name: read_result(folder) for folder in trained("stacked", *words).values()}
    assert sorted(result.stopped_early for result in ended.values()) == [False, True]
    assert sorted(result.epochs_run for result in ended.values()) == [2, 30]


def test_finished_runs_are_not_trained_again_and_a_wider_grid_trains_the_rest(capsys):
    trained("stacked", "seed=0,1")
    before = {run: (run / "history.csv").read_bytes() for run in find_runs(Path("outputs/stacked"))}
    capsys.readouterr()
    runs = trained("stacked", "seed=0,1,2,3")
    assert capsys.readouterr().out.count("completed before") == 2
    assert len(runs) == 4
    assert all((run / "history.csv").read_bytes() == content for run, content in before.items())


def test_the_width_bounds_the_cohorts():
    runs = trained("stacked", "seed=0,1,2,3,4", "engine.width=2")
    assert sorted(read_result(run).cohort for run in runs.values()) == [1, 2, 2, 2, 2]


OWN = """
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, outputs: int, p: float = 0.3):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, bias=False)  # norm removes a bias, and Adam would move it by rounding
        self.norm, self.drop = nn.BatchNorm2d(4), nn.Dropout(p)
        self.out = nn.Linear(144, outputs)
    def forward(self, x):
        return self.out(self.drop(F.relu(self.norm(self.conv(x))).flatten(1)))

class Draws(nn.Linear):
    def __init__(self, outputs: int):
        super().__init__(64, outputs)
    def forward(self, x):
        return super().forward(F.dropout(x.flatten(1), 0.2, self.training))
"""


def test_a_users_net_trains_through_vmap_as_it_does_alone_and_says_so(capsys):
    Path("own.py").write_text(OWN)
    words = ["model=custom", "model.target=own:Net", "+model.p=0.1,0.3", "seed=0,1", "probes.layers=true"]
    alone, together = trained("loop", *words), trained("stacked", *words)
    assert capsys.readouterr().out.count("stacked through vmap: 4 runs, largest difference ") == 1
    for key, folder in together.items():
        result, own = read_result(folder), read_result(alone[key])
        assert (result.engine, result.cohort, own.engine) == ("stacked", 4, "loop")
        mine, theirs = (pd.read_csv(run / "history.csv") for run in (folder, alone[key]))
        for name in ("train_loss", "val_loss"):
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-4)
        mine, theirs = (pd.read_csv(run / "layers.csv") for run in (folder, alone[key]))
        pd.testing.assert_frame_equal(mine, theirs, rtol=1e-3, atol=1e-4)
    losses = [read_result(folder).last["val_loss"] for folder in together.values()]
    assert len(set(losses)) == 4, "members must differ"


def test_a_model_that_cannot_be_stacked_is_refused_in_one_line_before_training(capsys):
    Path("draws.py").write_text(OWN)
    words = ["model=custom", "model.target=draws:Draws", "engine=stacked", "seed=0,1"]
    assert main(["train", *QUICK, *words]) == 2
    error = capsys.readouterr().err
    said = "engine=stacked: the model's forward draws random numbers (dropout); engine=loop trains it"
    assert said in error
    assert error.count("\n") == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize("model", [["mlp_bn", "model.dropout=0,0.3"], ["cnn", "model.channels=[3,4]"]])
def test_every_run_records_the_layer_statistics_it_would_record_alone(model):
    words = [f"model={model[0]}", *model[1:], "seed=0,1,2", "probes.layers=true", "epochs=1"]
    alone, together = trained("loop", *words), trained("stacked", *words)
    for key, folder in together.items():
        mine, own = (pd.read_csv(run / "layers.csv") for run in (folder, alone[key]))
        names = ["epoch", "phase", "layer", "module"]
        pd.testing.assert_frame_equal(mine[names], own[names])
        numbers = ["mean", "abs_mean", "std"]
        pd.testing.assert_frame_equal(mine[numbers], own[numbers], rtol=1e-3, atol=1e-4)
    means = [pd.read_csv(folder / "layers.csv")["abs_mean"].iloc[-1] for folder in together.values()]
    assert len(set(means)) == len(means), "members must differ"
