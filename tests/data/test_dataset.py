import json
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from dlx.config import DataSettings
from dlx.data import dataset as dataset_module
from dlx.data import storage
from dlx.data.dataset import load
from dlx.data.on_disk import OnDisk
from dlx.data.source import sources
from dlx.errors import RequestError

CONF = Path(__file__).resolve().parents[2] / "conf" / "data"
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CPU = torch.device("cpu")


def settings(name, **changed):
    values = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    values = values.get("data", values)  # a package of its own, as a surface's, holds other groups' keys too
    return DataSettings.model_validate_json(json.dumps({**values, **changed}))


def kept(batches):
    """Copies of batches, which the next ones overwrite."""
    return [(inputs.clone(), labels) for inputs, labels in batches]


def load_float32(name, **changed):
    return load(settings(name, **changed), dtype=torch.float32, device=CPU)


@pytest.fixture
def images_npz(tmp_path):
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 256, (90, 3, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", inputs=inputs, labels=np.arange(90) % 3)
    return {"root": str(tmp_path), "path": "images.npz"}


def test_every_source_has_a_yaml_of_its_name_and_every_yaml_a_source():
    assert sorted(path.stem for path in CONF.glob("*.yaml")) == sorted(sources.builders())


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_yaml_opens_with_its_command_and_holds_only_keys_that_are_used(tmp_path, path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("# @package")]
    first, second = lines[:2]
    assert first.startswith(f"# dlx train data={path.stem}")
    assert second.startswith("# ")
    given = settings(path.stem)
    assert given.name == path.stem
    (tmp_path / "file").touch()  # no folder can be made below a file, so nothing is downloaded
    message = ""
    try:
        sources.build(given.name, given.arguments, root=tmp_path / "file" / "root")
    except RequestError as error:
        message = str(error)
    # Only missing files are an error here; for an unknown key, the message is "takes no such setting".
    assert (
        message.startswith(
            (
                "data.path: give a file",
                "data.path: give a folder",
                "data.path=.: there",
                f"data.name={path.stem}: ",
                "data.target=???: write",
            )
        )
        or not message
    )


def test_digits_have_the_splits_of_the_default_yaml():
    data = load_float32("digits")
    assert data.name == "digits"
    assert data.input_shape == (1, 8, 8)
    assert len(data.classes) == 10
    assert (len(data.train), len(data.val), len(data.test)) == (1000, 397, 400)


def test_digits_binary_is_two_halves_standardised_by_the_overall_mean_and_deviation():
    data = load(settings("digits_binary"), dtype=torch.float64, device=CPU)
    assert (len(data.train), len(data.val), len(data.test)) == (899, 898, 0)
    inputs = data.train.inputs
    assert inputs.dtype == torch.float64
    assert inputs.mean().item() == pytest.approx(0, abs=1e-12)
    assert inputs.std(correction=0).item() == pytest.approx(1, abs=1e-12)


def test_standardisation_is_fitted_on_the_training_split_alone():
    small, large = load_float32("digits", train_size=50), load_float32("digits", train_size=1000)
    assert small.train.inputs.mean().abs() < 1e-6
    # The same validation samples, standardised by other statistics.
    assert torch.equal(small.val.labels, large.val.labels)
    assert not torch.equal(small.val.inputs, large.val.inputs)
    assert small.val.inputs.mean().abs() > 1e-4


@pytest.mark.parametrize("method", ["none", "unit", "mean_std", "mean_image"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_standardising_once_and_by_batch_give_the_same_bits(monkeypatch, images_npz, method, dtype):
    given = settings("npz", **images_npz, standardise=method)
    once = load(given, dtype=dtype, device=CPU)
    monkeypatch.setattr(storage, "FLOAT_COPY_BYTES", 0)
    by_batch = load(given, dtype=dtype, device=CPU)
    assert once.train.inputs.dtype == dtype
    assert by_batch.train.inputs.dtype == torch.uint8
    index = torch.randperm(len(once.train), generator=torch.Generator().manual_seed(0))[:7]
    for mine, theirs in zip(once.train.batch(index), by_batch.train.batch(index), strict=True):
        assert mine.dtype == theirs.dtype
        assert torch.equal(mine, theirs)
    for mine, theirs in zip(once.val.slice(2, 7), by_batch.val.slice(2, 7), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("method", ["none", "unit", "mean_std", "mean_image"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_splits_on_disk_give_the_bits_of_splits_in_memory(images_npz, method, dtype):
    given = {**images_npz, "standardise": method, "test_size": 11, "stratify": True}
    memory = load(settings("npz", **given, storage="memory"), dtype=dtype, device=CPU)
    disk = load(settings("npz", **given, storage="disk"), dtype=dtype, device=CPU)
    assert disk.input_shape == memory.input_shape
    for part in ("train", "val", "test"):
        mine, theirs = getattr(disk, part), getattr(memory, part)
        assert isinstance(mine.inputs, OnDisk)
        assert isinstance(theirs.inputs, torch.Tensor)
        indices = torch.randperm(len(mine), generator=torch.Generator().manual_seed(0)).split(4)
        pairs = [
            (mine.batch(indices[0]), theirs.batch(indices[0])),
            (mine.slice(3, 8), theirs.slice(3, 8)),
            *zip(kept(mine.batches(indices)), kept(theirs.batches(indices)), strict=True),
            *zip(kept(mine.slices(4)), kept(theirs.slices(4)), strict=True),
        ]
        assert len(pairs) == 2 + 2 * -(-len(mine) // 4)
        for (x, labels), (expected, expected_labels) in pairs:
            assert x.dtype == dtype
            assert torch.equal(x, expected)
            assert torch.equal(labels, expected_labels)


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_batches_that_are_standardised_one_by_one_take_the_memory_of_one(monkeypatch, images_npz, where):
    monkeypatch.setattr(storage, "FLOAT_COPY_BYTES", 0)
    train = load_float32("npz", **images_npz, storage=where).train
    for batches in (train.batches(torch.arange(81).split(20)), train.slices(20)):
        sizes, places = zip(*[(len(x), x.data_ptr()) for x, _ in batches], strict=True)
        assert sizes == (20, 20, 20, 20, 1)
        assert len(set(places)) == 1


def test_an_error_while_a_batch_is_read_ahead_reaches_the_loop(images_npz, tmp_path):
    data = load_float32("npz", **images_npz, storage="disk")
    batches = data.train.batches(torch.arange(80).split(10))
    next(batches)
    (tmp_path / "images.npz").write_bytes(b"")
    with pytest.raises(RequestError, match=r"images\.npz was changed while it was in use"):
        list(batches)


def test_floats_that_stay_raw_take_the_runs_dtype(monkeypatch):
    monkeypatch.setattr(storage, "FLOAT_COPY_BYTES", 0)
    data = load_float32("blobs", standardise="unit")  # drawn in float64, which MPS does not have
    assert data.train.standardise is not None
    assert data.train.inputs.dtype == torch.float32
    assert data.train.slice(0, 5)[0].dtype == torch.float32


def test_many_chunks_standardise_to_the_same_bits_as_one(images_npz):
    data = load_float32("npz", **images_npz)
    fitted = dataset_module.fit("mean_std", torch.arange(90, dtype=torch.uint8).reshape(90, 1), None)
    fitted = fitted.to(dtype=torch.float32, device=CPU)
    raw = torch.arange(len(data.train), dtype=torch.uint8)[:, None]
    assert torch.equal(dataset_module._standardised(raw, fitted, rows=7), fitted(raw))


def test_splits_agree_in_type_and_classes_with_what_the_engine_expects(images_npz):
    data = load_float32("npz", **images_npz, test_size=0.2)
    for part in (data.train, data.val, data.test):
        inputs, labels = part.batch(torch.tensor([0, 3]))
        assert inputs.shape == (2, 3, 4, 4)
        assert inputs.dtype == torch.float32
        assert labels.dtype == torch.int64
    assert (len(data.train), len(data.val), len(data.test)) == (63, 9, 18)


def test_validating_on_the_test_set_leaves_no_test_split(tmp_path):
    arrays = {
        f"{part}inputs": np.arange(n, dtype=np.float32)[:, None] for part, n in (("train_", 8), ("test_", 6))
    }
    labels = {f"{part}labels": np.arange(n) % 2 for part, n in (("train_", 8), ("test_", 6))}
    np.savez(tmp_path / "two.npz", **arrays, **labels)
    given = {"root": str(tmp_path), "path": "two.npz", "standardise": "none"}
    data = load_float32("npz", **given, val_from="test")
    assert sorted(data.val.inputs.flatten().tolist()) == list(range(6))
    assert (len(data.train), len(data.val), len(data.test)) == (8, 6, 0)
    assert len(load_float32("npz", **given, val_from="test", val_size=4).val) == 4


def test_validating_on_a_missing_test_set_is_refused(images_npz):
    with pytest.raises(RequestError, match=r"data.val_from=test: the data set 'npz' has no test set"):
        load_float32("npz", **images_npz, val_from="test")


def test_an_unknown_source_is_refused_with_the_nearest_name():
    given = settings("digits").model_copy(update={"name": "digit"})
    with pytest.raises(RequestError, match=r"there is no 'digit'; did you mean 'digits'\?"):
        load(given, dtype=torch.float32, device=CPU)


@pytest.mark.skipif(not (DATA / "FashionMNIST").is_dir(), reason="needs the development data")
def test_fashion_mnist_as_in_the_course_has_its_known_statistics():
    data = load_float32("fashion_mnist", root=str(DATA), train_size=1000, val_size=500)
    assert (len(data.train), len(data.val), len(data.test)) == (1000, 500, 10000)
    assert data.classes[9] == "Ankle boot"
    # Published for all 60000: mean 0.2860, deviation 0.3530; 1000 images of a deviation of 0.2 between
    # image means leave 0.02 of doubt.
    assert data.train.inputs.mean().item() == pytest.approx(0.2860, abs=0.02)
    assert data.train.inputs.std().item() == pytest.approx(0.3530, abs=0.02)
    assert data.train.inputs.min() == 0
    assert data.train.inputs.max() == 1
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        (
            {"val_size": 18},
            [
                "data.val_size=18: with 18 validation samples, one is worth 5.6 points of accuracy",
                "test_size=null",
            ],
        ),
        (
            {"val_size": 1, "test_size": 5},
            ["data.val_size=1: with 1 validation sample, one is worth 100 points"],
        ),
        ({"val_size": 18, "test_size": 0}, ["data.val_size=18: with 18 validation"]),  # asked for
        ({"name": "digits"}, []),
        ({"name": "surface"}, []),
    ],
)
def test_few_validation_samples_and_no_test_split_are_noted(images_npz, changed, sentences):
    name = changed.pop("name", "npz")
    notes = load_float32(name, **(images_npz if name == "npz" else {}), **changed).notes
    assert len(notes) == len(sentences)
    for message, sentence in zip(notes, sentences, strict=True):
        assert sentence in message


def test_numbers_take_the_runs_dtype_and_cannot_be_stratified(tmp_path):
    numbers = np.arange(40) + 0.25
    np.savez(tmp_path / "a.npz", inputs=np.ones((40, 2)), labels=numbers)
    given = {"root": str(tmp_path), "path": "a.npz", "split_seed": None}
    data = load_float32("npz", **given)
    assert data.classes == ()
    assert data.train.batch(torch.tensor([0, 1]))[1].tolist() == numbers[4:6].tolist()
    assert data.train.labels.dtype == torch.float32
    with pytest.raises(RequestError, match=r"data\.stratify=True: data=npz has no classes"):
        load_float32("npz", **given, stratify=True)
