"""Every YAML under conf/: opens with the command that runs it, composes, and builds what it names."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlx.build import build
from dlx.cli import main
from dlx.compose.composer import config_folder
from dlx.compose.request import compose, compose_one
from dlx.engine.run import Run
from dlx.run.paths import find_runs
from dlx.run.result import read_result

CONF = config_folder()
FILES = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.rglob("*.yaml"))
BY_GROUP = {
    group: [f.name for f in FILES if str(f.parent) == group] for group in {str(f.parent) for f in FILES}
}

# What a choice needs beside it to be a whole run.
NEEDS = {
    "loss/binary_cross_entropy": ["data=digits_binary"],
    "loss/surface": ["data=surface"],
    "model/point": ["data=surface"],
}
LARGER_IMAGES = {"lenet", "airbench"}  # than the digits' 8 x 8


def composed(*words):
    return compose_one(words)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_yaml_opens_with_the_command_that_runs_it_and_a_sentence(file):
    lines = (CONF / file).with_suffix(".yaml").read_text().splitlines()
    lines = lines[1:] if lines[0].startswith("# @package") else lines
    assert lines[0].startswith("# dlx ")
    assert lines[1].startswith("# ")
    if file.parent.name:
        assert f"{file.parent}={file.name}" in lines[0]


@pytest.mark.parametrize("group", ["optimizer", "schedule", "augment", "loss", "engine", "model"])
def test_every_choice_of_a_group_builds_a_run(group, tmp_path):
    images = np.zeros((40, 3, 20, 20), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", inputs=images, labels=np.arange(40) % 4)
    larger = ["data=npz", f"data.path={tmp_path}/images.npz", "batch_size=8"]
    assert BY_GROUP[group]
    for name in BY_GROUP[group]:
        if name == "custom":
            continue  # tests/own/test_parts.py
        needs = larger if name in LARGER_IMAGES else NEEDS.get(f"{group}/{name}", [])
        run = build(composed(f"{group}={name}", *needs))
        assert isinstance(run, Run)
        inputs, labels = run.data.val.slice(0, 4)
        assert run.model(inputs).shape[0] == len(labels) > 0


def test_the_custom_model_builds_what_its_target_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mynet.py").write_text(
        "import torch\n"
        "def Net(input_shape, outputs, hidden: int):\n"
        "    layers = [torch.nn.Linear(64, hidden), torch.nn.Linear(hidden, outputs)]\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), *layers)\n"
    )
    run = build(composed("model=custom", "model.target=mynet:Net", "+model.hidden=7"))
    assert run.parameter_count == 64 * 7 + 7 + 7 * 10 + 10


PUBLISHED = {"mnist", "fashion_mnist", "cifar10"}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_GROUP["sweep"])
def test_every_preset_runs_to_its_end_at_reduced_size(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = compose([f"sweep={name}"]).runs[0].settings
    assert config.name in (name, f"{name}-digits")
    words = ["epochs=1", "name=small", "keep=none"]
    words += ["probes.logits=[1]"] if config.probes.logits else []
    if config.data.name in PUBLISHED:
        draws = np.random.default_rng(0)
        images = draws.integers(0, 256, (500, 1, 12, 12), dtype=np.uint8)
        labels = np.arange(500) % 10
        arrays = {"inputs": images[:400], "labels": labels[:400]}
        np.savez("images.npz", **arrays, test_inputs=images[400:], test_labels=labels[400:])
        words += ["data=npz", "data.root=.", "data.path=images.npz"]
        words += ["data.train_size=300", "data.val_size=100", "data.test_size=null"]
        words += ["batch_size=100"] if config.batch_size > 300 else []
    elif config.data.name == "digits":
        words += ["data.train_size=300", "data.val_size=100"]
    code = main(["train", f"sweep={name}", *words])
    results = [read_result(folder) for folder in find_runs(Path("outputs/small"))]
    statuses = {result.status for result in results}
    assert statuses <= {"completed", "diverged"}, capsys.readouterr().out
    assert code == int("diverged" in statuses)
    assert all(result.last["epoch"] == 1 for result in results)


def idx(path, array):
    """Write an array in the format of MNIST's files: big-endian header, then bytes."""
    header = np.array([0x0800 + array.ndim, *array.shape], dtype=">i4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.tobytes())


def write_files(name, root):
    """Put small files of the source's own format where it looks for them."""
    draws = np.random.default_rng(0)
    if name == "npz":
        np.savez(root / "data.npz", inputs=draws.random((40, 6), dtype=np.float32), labels=np.arange(40) % 4)
    if name == "table":
        table = "".join(f"{i / 7},{'ab'[i % 2]},{i % 4}\n" for i in range(40))
        (root / "data.csv").write_text(f"size,colour,kind\n{table}")
    if name == "huggingface":
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table({"size": [i / 7 for i in range(40)], "label": [i % 4 for i in range(40)]})
        parquet.write_table(table, root / "train-00000-of-00001.parquet")
    if name == "image_folder":
        for i in range(40):
            folder = root / f"class{i % 4}"
            folder.mkdir(exist_ok=True)
            Image.fromarray(draws.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / f"{i}.png")


@pytest.mark.parametrize("name", sorted(set(BY_GROUP["data"]) - PUBLISHED - {"custom"}))
def test_every_data_set_builds_a_run(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if name == "huggingface":
        pytest.importorskip("pyarrow")
    root = tmp_path / "data"  # beside the cache, which would else be a class of the images
    root.mkdir()
    write_files(name, root)
    paths = {
        "huggingface": ["data.path=."],
        "npz": ["data.path=data.npz"],
        "table": ["data.path=data.csv", "data.target=kind"],
    }
    size = min(8, composed(f"data={name}").batch_size)  # a surface has one sample
    run = build(composed(f"data={name}", f"data.root={root}", f"batch_size={size}", *paths.get(name, [])))
    count = min(3, size)
    x, y = run.data.train.batch(torch.arange(count))
    assert x.dtype == (torch.float64 if name == "surface" else torch.float32)
    assert x.shape == (count, *run.data.input_shape)
    assert y.dtype == torch.int64


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_published_data_set_composes(name):
    settings = composed(f"data={name}")
    assert settings.data.name == name


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_published_data_set_builds_a_run_of_the_real_files(name):
    root = Path(__file__).parents[2] / "shared" / "data"
    if not root.is_dir():
        pytest.skip("the development data is not here")
    run = build(composed(f"data={name}", f"data.root={root}"))
    assert run.data.input_shape == (1, 28, 28)
    assert len(run.data.train) + len(run.data.val) == 60000
    assert os.listdir(root / "MNIST" / "raw")  # noqa: PTH208
