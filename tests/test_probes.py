"""Probes as a user turns them on: they write their files and do not change the run's numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from dlx.build import build
from dlx.cli import main
from dlx.compose.composer import config_folder
from dlx.compose.request import compose_one
from dlx.engine.loop import train
from dlx.run.checkpoint import read_checkpoint
from dlx.run.history import COLUMNS, read_history
from dlx.run.paths import find_runs
from dlx.run.probes import (
    FILES,
    read_classes,
    read_gradients,
    read_images,
    read_layers,
    read_logits,
    read_steps,
)
from dlx.run.result import read_result

QUICK = ["data.train_size=100", "data.val_size=50", "batch_size=25", "epochs=3"]
ALL = ["layers=true", "gradients=true", "steps=true", "classes=true", "logits=[1,3]", "train_samples=30"]
ALL = [f"probes.{probe}" for probe in [*ALL, "images=4"]]
MODELS = sorted(
    path.stem for path in (config_folder() / "model").glob("*.yaml") if path.stem not in ("custom", "point")
)

MODULES = """
import torch
from torch import nn

class Draws(nn.Module):
    '''Draws from torch's global state, in evaluation too, and remembers how often it was called.'''
    def __init__(self):
        super().__init__()
        self.inner, self.layer = nn.Linear(64, 16), nn.Linear(16, 10)
        self.register_buffer("calls", torch.zeros(()))
    def forward(self, x):
        self.calls += 1
        x = nn.functional.dropout(self.inner(x.flatten(1)), 0.3, training=True).relu_()
        return self.layer(x) * (1 + self.calls / 100)

class Attends(nn.Module):
    '''torch's own encoder, which evaluates in one call unless it finds a hook on a part of it.'''
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.output = nn.Linear(64, 10)
    def forward(self, x):
        return self.output(self.encoder(x.flatten(1, 2)).flatten(1))
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def built(*words):
    return build(compose_one([*QUICK, *words]))


def only_run(study):
    (folder,) = find_runs(Path("outputs", study))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        ["model=mlp_bn", "model.width=16", "model.dropout=0.3", "augment=shift_flip", "augment.noise=0.1"],
        ["model=resnet", "model.blocks=1", "model.width=4", "augment=flip", "dtype=float64"],
        ["model=cnn", "model.channels=[4,8]", "model.dropout=0.2", "optimizer=sgd"],
        ["model=custom", "model.target=modules:Draws", "data.val_size=1200"],  # validated in two batches
        ["model=custom", "model.target=modules:Attends"],
    ],
    ids=["mlp", "resnet", "cnn", "draws", "attends"],
)
def test_probes_do_not_change_a_runs_numbers(model):
    Path("modules.py").write_text(MODULES)
    for study, probes in (("without", []), ("with", ALL)):
        assert main(["train", *QUICK, "keep=best", f"name={study}", *model, *probes]) == 0
    bare, probed = only_run("without"), only_run("with")
    histories = [read_history(folder / "history.csv")[list(COLUMNS)] for folder in (bare, probed)]
    pd.testing.assert_frame_equal(*(h.drop(columns="time") for h in histories), check_exact=True)
    assert histories[0]["train_loss"].notna().sum() == 3
    predictions = [np.load(folder / "predictions.npz") for folder in (bare, probed)]
    for name in predictions[0].files:
        np.testing.assert_array_equal(predictions[0][name], predictions[1][name])
    results = [read_result(folder) for folder in (bare, probed)]
    weights = [
        read_checkpoint(folder, result.checkpoint_sha256)["model"]
        for folder, result in zip((bare, probed), results, strict=True)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
    assert {path.name for path in probed.iterdir()} - {path.name for path in bare.iterdir()} == set(FILES)
    assert not {path.name for path in bare.iterdir()} & set(FILES)


def test_the_files_of_a_run_with_all_probes():
    assert main(["train", *QUICK, *ALL, "model.width=8", "keep=last"]) == 0
    folder = only_run("digits")
    history, result = read_history(folder / "history.csv"), read_result(folder)
    assert list(history.columns) == [*COLUMNS, "train_end_loss", "train_end_accuracy"]
    assert history[["train_end_loss", "train_end_accuracy"]].notna().all(axis=None)
    assert result.last["train_end_loss"] == history["train_end_loss"].iloc[-1]

    layers, gradients = read_layers(folder), read_gradients(folder)
    assert layers["epoch"].unique().tolist() == [0, 1, 2, 3]
    assert set(layers.query("epoch == 0")["phase"]) == {"validation"}
    names = [layer["layer"] for layer in result.layers]
    assert layers.query("epoch == 2 and phase == 'training'")["layer"].tolist() == names
    assert gradients.query("epoch == 0")["abs_gradient"].isna().all()
    assert gradients.query("epoch > 0")["abs_gradient"].gt(0).all()

    steps, classes = read_steps(folder), read_classes(folder)
    assert steps["step"].tolist() == list(range(1, 13))
    by_epoch = steps["loss"].to_numpy().reshape(3, 4).mean(1)
    np.testing.assert_allclose(by_epoch, history["train_loss"][1:], rtol=0, atol=1e-12)
    right = (classes["samples"] * classes["accuracy"].fillna(0)).groupby(classes["epoch"]).sum()
    np.testing.assert_allclose(right / 50, history["val_accuracy"], rtol=0, atol=1e-12)

    logits, images = read_logits(folder), read_images(folder)
    assert (logits.epochs.tolist(), logits.outputs.shape) == ([1, 3], (2, 100, 10))
    run = built("model.width=8")
    run.model.load_state_dict(read_checkpoint(folder, result.checkpoint_sha256)["model"])
    run.model.eval()
    with torch.no_grad():
        outputs = run.model(run.data.train.inputs).cpu().numpy()
    np.testing.assert_allclose(logits.outputs[1], outputs, rtol=1e-3, atol=1e-3)
    assert logits.labels.tolist() == run.data.train.labels.tolist()
    assert images.before.shape == (4, 1, 8, 8)
    np.testing.assert_allclose(images.before, images.before.round(), atol=1e-4)  # pixels of 0 to 16


def test_a_diverged_run_keeps_what_its_probes_recorded():
    words = ["optimizer=sgd", "optimizer.lr=1e30", "model.width=8"]
    assert main(["train", *QUICK, *ALL, *words]) == 1
    folder = only_run("digits")
    epochs = read_result(folder).epochs_run
    assert 0 < epochs < 3
    assert read_steps(folder)["step"].tolist() == list(range(1, 4 * epochs + 1))
    assert not np.isfinite(read_layers(folder).query("epoch == @epochs")["std"]).all()
    assert read_logits(folder).epochs.tolist() == [1]
    assert read_images(folder) is not None
    assert read_gradients(folder)["epoch"].max() == read_classes(folder)["epoch"].max() == epochs


def test_a_retry_replaces_the_files_of_an_earlier_attempt():
    words = [*QUICK, "model.width=8", "probes.steps=true"]
    assert main(["train", *words]) == 0
    folder = only_run("digits")
    expected = (folder / "steps.csv").read_text()
    (folder / "result.json").unlink()
    for name in FILES:
        (folder / name).write_text("of an earlier try, cut sho")
    assert main(["train", *words]) == 0
    assert (folder / "steps.csv").read_text() == expected
    assert {path.name for path in folder.iterdir()} & set(FILES) == {"steps.csv"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["probes.logits=[1,9,4]"], "probes.logits=[1, 9, 4]: epoch 9 is after epochs=3"),
        (["data=blobs", "probes.images=2"], "probes.images=2: needs images (channels, height, width)"),
        (["probes.train_samples=-1"], "probes.train_samples=-1"),
        (["data=surface", "probes.classes=true"], "probes.classes=True: loss.name=surface has no classes"),
    ],
)
def test_a_wrong_request_prints_one_line_and_leaves_no_folder(words, message, capsys):
    quick = ["epochs=3"] if "data=surface" in words else QUICK
    assert main(["train", *quick, *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not Path("outputs").exists()


def test_the_training_samples_depend_only_on_the_split_seed():
    def sample(*words):
        return built(*words).probes.train_sample

    first = sample("probes.train_samples=30")
    assert first.inputs.shape == (30, 1, 8, 8)
    assert torch.equal(first.inputs, sample("probes.train_samples=30", "seed=5", "model=cnn").inputs)
    assert torch.equal(first.inputs, sample("probes.train_samples=40").inputs[:30])
    assert not torch.equal(first.inputs, sample("probes.train_samples=30", "data.split_seed=1").inputs)
    assert len(sample("probes.train_samples=5000")) == 100
    assert sample() is None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mean_squared_error"])
def test_probes_of_every_model_under_every_loss(model, loss, tmp_path):
    data = ["data=digits_binary"] if loss == "binary_cross_entropy" else []
    if model in ("lenet", "airbench"):  # they need larger images
        draws = np.random.default_rng(0)
        images = draws.integers(0, 255, (60, 1, 20, 20), dtype=np.uint8)
        np.savez(tmp_path / "images.npz", inputs=images, labels=np.arange(60) % 2)
        data = ["data=npz", f"data.path={tmp_path}/images.npz"]
    sizes = ["data.train_size=40", "data.val_size=20", "batch_size=20", "epochs=1", "probes.logits=[1]"]
    run = built(f"model={model}", f"loss={loss}", *data, *ALL, *sizes)
    assert sum(layer.parameters for layer in run.layers) == run.parameter_count
    assert all(layer.output_shape is not None for layer in run.layers)
    first, last = train(run)
    layers = [(row[1], row[2]) for row in last.observed.tables["layers.csv"]]
    names = [layer.layer for layer in run.layers]
    assert layers == [(phase, name) for phase in ("training", "validation") for name in names]
    parameters = [row[1] for row in first.observed.tables["gradients.csv"]]
    assert parameters == [name for name, _ in run.model.named_parameters()]
    assert last.observed.train_outputs_NK.shape == (40, *run.layers[-1].output_shape)


def test_every_result_has_the_summary_of_layers():
    assert main(["train", *QUICK, "model=mlp", "model.width=8"]) == 0
    result = read_result(only_run("digits"))
    assert result.layers[0] == {
        "layer": "flatten",
        "module": "Flatten",
        "output_shape": [64],
        "parameters": 0,
    }
    linear = {"layer": "linear1", "module": "Linear", "output_shape": [8], "parameters": 64 * 8 + 8}
    assert linear in result.layers
    assert sum(layer["parameters"] for layer in result.layers) == result.parameters


def test_probes_of_a_descent_record_its_point(capsys):
    words = ["data=surface", "loss.function=x**2+y**2", "optimizer.lr=0.1", "epochs=2", "name=descent"]
    assert main(["train", *words, "probes.steps=true", "probes.gradients=true"]) == 0
    [folder] = find_runs(Path("outputs/descent"))
    assert read_steps(folder)["loss"].tolist() == [13, pytest.approx(0.64 * 13)]  # before each step
    gradients = read_gradients(folder)
    assert gradients["abs_gradient"][1] == pytest.approx(5)  # the mean of |2 * 3| and |2 * 2|
