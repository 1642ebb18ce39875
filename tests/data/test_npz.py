import numpy as np
import pytest
import torch

from dlx import device
from dlx.data.on_disk import OnDisk
from dlx.data.source import sources
from dlx.errors import RequestError

FLAT = np.arange(12, dtype=np.float32).reshape(4, 3)
LABELS = np.array([0, 1, 1, 0])


def build(root, save=np.savez, storage="auto", **arrays):
    save(root / "mine.npz", **arrays)
    return sources.build("npz", {"path": "mine.npz", "storage": storage}, root=root)


def test_inputs_and_labels_are_the_training_part(tmp_path):
    source = build(tmp_path, inputs=FLAT, labels=LABELS.astype(np.uint8))
    assert torch.equal(source.train.inputs, torch.from_numpy(FLAT))
    assert source.train.labels.tolist() == [0, 1, 1, 0]
    assert source.train.labels.dtype == torch.int64
    assert source.classes == ("0", "1")
    assert (source.validation, source.test, source.white) == (None, None, None)


def test_prefixed_pairs_become_sets_of_their_own(tmp_path):
    pairs = {f"{part}_{name}" for part in ("train", "val", "test") for name in ("inputs", "labels")}
    arrays = {name: FLAT + len(name) if name.endswith("inputs") else LABELS for name in pairs}
    source = build(tmp_path, **arrays, classes=np.array(["no", "yes"]))
    assert torch.equal(source.train.inputs, torch.from_numpy(FLAT + len("train_inputs")))
    assert torch.equal(source.validation.inputs, torch.from_numpy(FLAT + len("val_inputs")))
    assert torch.equal(source.test.inputs, torch.from_numpy(FLAT + len("test_inputs")))
    assert source.classes == ("no", "yes")


def test_uint8_images_stay_bytes_and_grey_images_get_a_channel(tmp_path):
    images = np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2)
    source = build(tmp_path, inputs=images, labels=LABELS)
    assert source.train.inputs.dtype == torch.uint8
    assert source.train.inputs.shape == (4, 1, 2, 2)
    assert torch.equal(source.train.inputs[:, 0], torch.from_numpy(images))
    assert source.white == 255.0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (">f4", torch.float32),
        ("<f2", torch.float32),
        (">f8", torch.float64),
        ("int64", torch.float64),
        ("bool", torch.float32),
    ],
)
def test_other_numbers_keep_their_values(tmp_path, given, kept):
    inputs = (np.arange(12).reshape(4, 3) % 2).astype(given)
    source = build(tmp_path, inputs=inputs, labels=LABELS)
    assert source.train.inputs.dtype == kept
    assert source.train.inputs.double().tolist() == (np.arange(12).reshape(4, 3) % 2).tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": FLAT}, r"has no array labels.*\(it has inputs\)"),
        (
            {"a": FLAT, "b": LABELS},
            r"has no array inputs.*\(it has a, b\).*data\.inputs=NAME data\.labels=NAME",
        ),
        ({"x": FLAT, "y": LABELS, "x_test": FLAT}, r"x_test has no labels"),
        ({"images": FLAT, "data": FLAT, "y": LABELS}, r"both images and data; .*data\.inputs=NAME"),
        ({"inputs": FLAT, "labels": LABELS, "val_inputs": FLAT}, r"has no array val_labels"),
        ({"inputs": FLAT, "labels": LABELS, "train_inputs": FLAT}, r"both inputs and train_inputs"),
        ({"inputs": FLAT, "labels": LABELS[:3]}, r"inputs has shape \(4, 3\) and labels \(3,\)"),
        ({"inputs": FLAT[:0], "labels": LABELS[:0]}, r"inputs has shape \(0, 3\)"),
        ({"inputs": FLAT[:, 0], "labels": LABELS}, r"inputs has shape \(4,\); expected \[N, F\]"),
        ({"inputs": FLAT, "labels": LABELS + np.inf}, r"labels is not finite at \[0\]: inf"),
        ({"inputs": FLAT, "labels": LABELS - 1}, r"labels range from -1 to 0, and -1 may stand for"),
        (
            {"inputs": FLAT, "labels": LABELS.astype("datetime64[D]")},
            r"labels are datetime64\[D\]; give whole",
        ),
        (
            {"inputs": FLAT, "labels": LABELS * 2, "classes": ["a", "b"]},
            r"labels range from 0 to 2, but there are 2",
        ),
        ({"inputs": FLAT, "labels": LABELS - 1, "classes": ["a", "b"]}, r"labels range from -1 to 0"),
        (
            {"inputs": FLAT, "labels": np.array([1, 2, 2, 3]), "classes": ["a", "b"]},
            r"labels are 1 to 3, but 2 classes are named",
        ),
        ({"inputs": FLAT, "labels": LABELS, "classes": ["a", "a"]}, r"classes contains a name twice: a, a"),
        (
            {"inputs": FLAT, "labels": LABELS, "test_inputs": FLAT, "test_labels": LABELS + 1},
            r"test_labels range from 1 to 2, but there are 2 classes in the training samples, 0, 1",
        ),
        (
            {"inputs": FLAT, "labels": LABELS, "val_inputs": FLAT[:, :2], "val_labels": LABELS},
            r"val_inputs are torch\.float32 of shape \(2,\) per sample, but the training inputs .* \(3,\)",
        ),
        ({"inputs": np.where(FLAT == 7, np.nan, FLAT), "labels": LABELS}, r"not finite at \[2, 1\]: nan"),
        ({"inputs": np.where(FLAT == 3, np.inf, FLAT), "labels": LABELS}, r"not finite at \[1, 0\]: inf"),
        ({"inputs": FLAT.astype(str), "labels": LABELS}, r"inputs are <U\d+; expected numbers"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused(tmp_path, arrays, message):
    with pytest.raises(RequestError, match=r"data\.path: .*mine\.npz .*(" + message + ")"):
        build(tmp_path, **arrays)


def test_a_class_without_training_samples_is_allowed_when_it_is_named(tmp_path):
    assert build(tmp_path, inputs=FLAT, labels=LABELS * 2, classes=["a", "b", "c"]).classes == ("a", "b", "c")


def test_class_names_may_be_bytes_or_numbers(tmp_path):
    assert build(tmp_path, inputs=FLAT, labels=LABELS, classes=[b"cat", b"dog"]).classes == ("cat", "dog")
    assert build(tmp_path, inputs=FLAT, labels=LABELS, classes=[3, 8]).classes == ("3", "8")


class Touch:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    ran = tmp_path / "ran"
    objects = np.empty(4, dtype=object)
    objects[0] = Touch(str(ran))
    with pytest.raises(RequestError, match="cannot be read as arrays without pickled objects"):
        build(tmp_path, inputs=FLAT, labels=objects)
    assert not ran.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"text"])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(RequestError, match=r"mine\.npz (cannot be read as arrays|is not an .npz file)"):
        sources.build("npz", {"path": "mine.npz"}, root=tmp_path)


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "mine.npy", FLAT)
    with pytest.raises(RequestError, match=r"mine\.npy is a single array, and its labels are not beside it"):
        sources.build("npz", {"path": "mine.npy"}, root=tmp_path)


def test_the_path_is_required(tmp_path):
    with pytest.raises(RequestError, match=r"data\.path: give a file .* data\.path=mine\.npz"):
        sources.build("npz", {}, root=tmp_path)


IMAGES = np.random.default_rng(0).integers(0, 256, (4, 5, 6), dtype=np.uint8)


def test_uint8_inputs_of_every_part_can_stay_on_disk(tmp_path):
    pairs = {f"{part}_inputs": IMAGES + len(part) for part in ("train", "val", "test")}
    pairs |= {f"{part}_labels": LABELS for part in ("train", "val", "test")}
    memory = build(tmp_path, storage="memory", **pairs)
    disk = sources.build("npz", {"path": "mine.npz", "storage": "disk"}, root=tmp_path)
    assert disk.white == 255.0
    for part in ("train", "validation", "test"):
        inputs = getattr(disk, part).inputs
        assert isinstance(inputs, OnDisk)
        assert inputs.shape == (4, 1, 5, 6)
        assert torch.equal(inputs.read(), getattr(memory, part).inputs)
        assert torch.equal(getattr(disk, part).labels, getattr(memory, part).labels)


def test_auto_keeps_on_disk_what_is_large_for_the_memory_and_can_stay_there(tmp_path, monkeypatch):
    given = {"inputs": IMAGES, "labels": LABELS}
    assert isinstance(build(tmp_path, **given).train.inputs, torch.Tensor)
    monkeypatch.setattr(device, "available_bytes", lambda: 3000)
    assert isinstance(build(tmp_path, **given).train.inputs, OnDisk)
    assert isinstance(build(tmp_path, storage="memory", **given).train.inputs, torch.Tensor)
    assert isinstance(build(tmp_path, np.savez_compressed, **given).train.inputs, torch.Tensor)


@pytest.mark.parametrize(
    ("save", "inputs", "reason"),
    [
        (np.savez_compressed, IMAGES, "inputs is compressed; write it with numpy.savez"),
        (np.savez, FLAT, "inputs is float32 in C order; it needs to be uint8 in C order"),
    ],
)
def test_what_cannot_stay_on_disk_is_refused_with_the_reason(tmp_path, save, inputs, reason):
    with pytest.raises(RequestError, match=rf"cannot stay on disk \(data\.storage=disk\): {reason}"):
        build(tmp_path, save, "disk", inputs=inputs, labels=LABELS)


@pytest.mark.parametrize("storage", ["memory", "disk"])
@pytest.mark.parametrize("shape", [(4,), (4, 0), (2, 2, 2, 2, 2)])
def test_wrong_shapes_are_refused_wherever_the_inputs_are(tmp_path, storage, shape):
    labels = np.arange(shape[0]) % 2
    with pytest.raises(RequestError, match=r"inputs has shape"):
        build(tmp_path, storage=storage, inputs=np.zeros(shape, np.uint8), labels=labels)


def test_damaged_inputs_are_refused_wherever_they_are(tmp_path):
    build(tmp_path, inputs=IMAGES, labels=LABELS)
    file = tmp_path / "mine.npz"
    file.write_bytes(file.read_bytes().replace(IMAGES.tobytes(), (IMAGES ^ 1).tobytes()))
    for storage in ("memory", "disk"):
        with pytest.raises(RequestError, match=r"mine\.npz cannot be read as arrays .*CRC"):
            sources.build("npz", {"path": "mine.npz", "storage": storage}, root=tmp_path)
