import dataclasses
import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from dlx.data import vision
from dlx.data.source import sources

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="needs the development data")


def place(folder, content):
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return {name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in content.items()}


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize(("name", "constant"), [("mnist", "MNIST"), ("fashion_mnist", "FASHION_MNIST")])
def test_idx_files_become_images_and_labels(tmp_path, monkeypatch, name, constant):
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)
    labels = np.array([3, 9, 0, 1, 2, 4, 5], dtype=np.uint8)
    content = {
        "train-images-idx3-ubyte": idx(images),
        "train-labels-idx1-ubyte": idx(labels),
        "t10k-images-idx3-ubyte": idx(images[:2]),
        "t10k-labels-idx1-ubyte": idx(labels[:2]),
    }
    real = getattr(vision, constant)
    files = place(tmp_path / real.folder, content)
    monkeypatch.setattr(vision, constant, dataclasses.replace(real, files=files))
    source = sources.build(name, {}, root=tmp_path)
    assert torch.equal(source.train.inputs, torch.from_numpy(images)[:, None])
    assert source.train.labels.tolist() == labels.tolist()
    assert torch.equal(source.test.inputs, torch.from_numpy(images[:2])[:, None])
    assert source.test.labels.tolist() == [3, 9]
    assert source.train.labels.dtype == torch.int64
    assert source.validation is None
    assert source.white == 255.0


def python2_pickle(pixels, labels):
    """A batch as CIFAR-10's authors wrote it: Python 2, protocol 2, a string for the pixels."""

    def text(value):
        return b"U" + bytes([len(value)]) + value.encode()

    dtype = b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R(K\x03" + text("|")
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"".join(b"J" + struct.pack("<i", side) for side in pixels.shape) + b"\x86"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text("b") + b"\x87R"
    array += b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", pixels.size) + pixels.tobytes() + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text("data") + array + text("labels") + numbers + b"u."


def cifar10(tmp_path, monkeypatch, batches):
    files = place(tmp_path / "cifar-10-batches-py", batches)
    monkeypatch.setattr(vision, "CIFAR10", dataclasses.replace(vision.CIFAR10, files=files))
    return sources.build("cifar10", {}, root=tmp_path)


def test_cifar10_batches_become_one_training_and_one_test_part(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3072), dtype=np.uint8)
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    batches = {name: python2_pickle(pixels[i : i + 1], [i]) for i, name in enumerate(names)}
    source = cifar10(tmp_path, monkeypatch, batches)
    # The authors' layout: 1024 red values row by row, then green, then blue.
    assert torch.equal(source.train.inputs, torch.from_numpy(pixels[:5]).reshape(5, 3, 32, 32))
    assert source.train.inputs[1, 2, 3, 4] == pixels[1, 2 * 1024 + 3 * 32 + 4]
    assert source.train.labels.tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(source.test.inputs, torch.from_numpy(pixels[5:]).reshape(1, 3, 32, 32))
    assert source.test.labels.tolist() == [5]


def test_a_pickle_that_calls_anything_but_numpy_is_refused(tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    attack = f"cpathlib\nPath.touch\n(cpathlib\nPath\n(V{ran}\ntRtR.".encode()
    with pytest.raises(Exception, match=r"does not belong in an image file"):
        cifar10(tmp_path, monkeypatch, {"data_batch_1": attack, "test_batch": attack})
    assert not ran.exists()


@needs_data
def test_mnist_is_the_published_one():
    source = sources.build("mnist", {}, root=DATA)
    assert source.train.inputs.shape == (60000, 1, 28, 28)
    assert source.test.inputs.shape == (10000, 1, 28, 28)
    assert source.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert source.train.inputs.double().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert torch.bincount(source.test.labels).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]


@needs_data
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what torchvision warns about while it is imported is not ours
@pytest.mark.parametrize(("name", "theirs"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_reading_agrees_with_torchvision(name, theirs):
    datasets = pytest.importorskip("torchvision.datasets")
    source = sources.build(name, {}, root=DATA)
    for part, train in ((source.train, True), (source.test, False)):
        expected = getattr(datasets, theirs)(DATA, train=train, download=False)
        assert torch.equal(part.inputs[:, 0], expected.data)
        assert torch.equal(part.labels, expected.targets)
    if name == "fashion_mnist":
        assert list(source.classes) == expected.classes


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_files_and_folders_are_torchvisions():
    datasets = pytest.importorskip("torchvision.datasets")
    for mine, theirs in ((vision.MNIST, datasets.MNIST), (vision.FASHION_MNIST, datasets.FashionMNIST)):
        assert [Path(archive).name for archive in mine.archives] == [name for name, _ in theirs.resources]
        assert mine.folder == f"{theirs.__name__}/raw"
    theirs = datasets.CIFAR10
    assert vision.CIFAR10.folder == theirs.base_folder
    assert list(vision.CIFAR10.archives) == [theirs.filename]
    assert f"{vision.CIFAR10.mirrors[0]}/{theirs.filename}" == theirs.url
    assert vision.CIFAR10.files == {name: f"md5:{md5}" for name, md5 in theirs.train_list + theirs.test_list}


def test_every_download_is_encrypted_and_has_two_mirrors():
    for mine in (vision.MNIST, vision.FASHION_MNIST, vision.CIFAR10):
        assert len(mine.mirrors) == 2
        assert all(mirror.startswith("https://") for mirror in mine.mirrors)
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", checksum) for checksum in mine.archives.values())
