"""Runs whose data is on disk train to the same bits as those whose data is in memory, in both engines."""

import threading
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch

from dlx.build import build
from dlx.cli import main
from dlx.compose.request import compose_one
from dlx.data.on_disk import OnDisk
from dlx.engine import loop, stacked
from dlx.engine.evaluation import EVALUATION_BATCH, evaluation_batch, join_outputs
from dlx.engine.stack_width import bytes_of_data, seconds_by_width
from dlx.run.history import read_history
from dlx.run.paths import HISTORY, find_runs

WORDS = [
    "data=npz",
    "data.path=mine.npz",
    "data.val_size=20",
    "data.test_size=9",
    "batch_size=16",
    "epochs=2",
]
MODELS = {
    "mlp_bn": ["model=mlp_bn", "model.width=8", "model.dropout=0.3"],
    "cnn": ["model=cnn", "model.channels=[3,4]", "augment.noise=0.1", "augment.crop=1", "augment.flip=true"],
}


@pytest.fixture(autouse=True)
def _data(tmp_path, monkeypatch):
    """90 images of 3x8x8 in 3 classes, told apart by their brightness."""
    monkeypatch.chdir(tmp_path)
    draws, labels = np.random.default_rng(0), np.arange(90) % 3
    images = draws.integers(0, 100, (90, 3, 8, 8)) + 70 * labels[:, None, None, None]
    np.savez("mine.npz", inputs=images.astype(np.uint8), labels=labels)


def run_of(storage, *words):
    run = build(compose_one([*WORDS, "data.root=.", f"data.storage={storage}", *words]))
    assert isinstance(run.data.train.inputs, OnDisk) == (storage == "disk")
    return run


def compare(mine, theirs):
    """Compare the ends of two runs' epochs: every number but the seconds."""
    assert replace(mine.row, time=0) == replace(theirs.row, time=0)
    assert torch.equal(mine.val_outputs_NK, theirs.val_outputs_NK)
    assert mine.extra == theirs.extra


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("words", [[], ["shuffle=false", "drop_last=true"]])
def test_the_loop_trains_to_the_same_bits(model, words):
    words = [*MODELS[model], *words, "probes.train_samples=30", "data.stratify=true"]
    ends = [list(loop.train(run_of(storage, *words))) for storage in ("memory", "disk")]
    assert len(ends[0]) == 3
    assert ends[0][1].row.train_loss != ends[0][2].row.train_loss
    for mine, theirs in zip(*ends, strict=True):
        compare(mine, theirs)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("varied", ["seed", "data.split_seed"])  # one split for all, or one for each
def test_the_stack_trains_to_the_same_bits(model, varied):
    ends = []
    for storage in ("memory", "disk"):
        runs = [run_of(storage, *MODELS[model], f"{varied}={value}") for value in (0, 1, 2)]
        ends.append(list(stacked.train(runs, {0, 1, 2})))
    for mine, theirs in zip(*ends, strict=True):
        assert list(mine) == [0, 1, 2]
        assert len({astuple(end.row) for end in mine.values()}) == 3
        for index, end in mine.items():
            compare(end, theirs[index])


def test_reading_ahead_ends_when_training_is_left():
    for epochs in (
        lambda leave: loop.train(run_of("disk"), before_step=leave),
        lambda leave: stacked.train([run_of("disk", f"seed={i}") for i in (0, 1)], {0, 1}, before_step=leave),
        lambda leave: stacked.train(
            [run_of("disk", f"data.split_seed={i}") for i in (0, 1)], {0, 1}, before_step=leave
        ),
    ):
        steps = []

        def leave(steps=steps):
            steps.append(None)
            if len(steps) == 3:
                assert any(thread.name.startswith("prefetch") for thread in threading.enumerate())
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(epochs(leave))
        assert not any(thread.name.startswith("prefetch") for thread in threading.enumerate())


def test_data_on_disk_takes_no_memory_but_its_labels_and_row_numbers():
    assert bytes_of_data(run_of("disk")) == 90 * (8 + 8)
    assert bytes_of_data(run_of("memory")) == 90 * (3 * 8 * 8 * 4 + 8)


def test_the_width_is_measured_on_disk_too(tmp_path):
    assert list(seconds_by_width(run_of("disk"), 2, tmp_path / "calibration")) == [1, 2]


def test_large_images_are_evaluated_few_at_a_time():
    assert (
        evaluation_batch((3, 32, 32))
        == evaluation_batch((784,))
        == evaluation_batch((0,))
        == EVALUATION_BATCH
    )
    assert evaluation_batch((3, 224, 224)) == 27
    assert evaluation_batch((3, 4000, 4000)) == 1


@pytest.mark.parametrize("axis", [0, 1])
def test_outputs_are_joined_as_cat_joins_them_and_no_part_is_kept(axis):
    parts = torch.randn(3, 4, 5).split(3, axis)
    joined = join_outputs((part.clone() for part in parts), (3, 4)[axis], axis)
    assert torch.equal(joined, torch.cat(parts, axis))
    assert joined.is_contiguous()


def test_where_the_data_is_kept_is_no_part_of_the_run(tmp_path, capsys):
    words = ["train", *WORDS, "data.root=.", "name=s", "model=linear"]
    assert main([*words, "data.storage=memory"]) == 0
    (folder,) = find_runs(tmp_path / "outputs")
    before = read_history(folder / HISTORY).drop(columns="time")
    capsys.readouterr()
    assert main([*words, "data.storage=disk"]) == 0
    assert "completed before" in capsys.readouterr().out
    assert main([*words, "data.storage=disk", "rerun=true"]) == 0
    assert find_runs(tmp_path / "outputs") == [folder]
    assert read_history(folder / HISTORY).drop(columns="time").equals(before)
