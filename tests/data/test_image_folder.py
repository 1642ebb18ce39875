import numpy as np
import pytest
import torch
from PIL import Image

from dlx import device
from dlx.data import image_folder
from dlx.data.image_files import list_images
from dlx.data.on_disk import OnDisk, in_memory
from dlx.data.source import sources
from dlx.errors import RequestError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def save(folder, value, shape=(4, 6, 3)):
    folder.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, dtype=np.uint8)).save(folder)


@pytest.fixture
def flowers(tmp_path):
    save(tmp_path / "flowers/train/rose/1.png", 10)
    save(tmp_path / "flowers/train/rose/2.png", 20)
    save(tmp_path / "flowers/train/tulip/3.png", 30)
    save(tmp_path / "flowers/val/tulip/4.png", 40)
    save(tmp_path / "flowers/test/rose/5.png", 50)
    save(tmp_path / "flowers/test/tulip/6.png", 60)
    return tmp_path


def build(root, **arguments):
    return sources.build("image_folder", {"path": "flowers", **arguments}, root=root)


def values(part):
    """The one value of each image, and its label."""
    inputs = in_memory(part.inputs)
    assert (inputs == inputs[:, :1, :1, :1]).all()
    return inputs[:, 0, 0, 0].tolist(), part.labels.tolist()


@pytest.mark.parametrize("arguments", [{}, {"cache": False}, {"storage": "disk"}])
def test_parts_become_training_validation_and_test(flowers, arguments):
    source = build(flowers, **arguments)
    assert isinstance(source.train.inputs, OnDisk) == (arguments == {"storage": "disk"})
    assert source.classes == ("rose", "tulip")
    assert source.train.inputs.shape == (3, 3, 4, 6)
    assert source.train.inputs.dtype == torch.uint8
    assert source.train.labels.dtype == torch.int64
    assert values(source.train) == ([10, 20, 30], [0, 0, 1])
    assert values(source.validation) == ([40], [1])
    assert values(source.test) == ([50, 60], [0, 1])
    assert source.white == 255.0


def test_a_folder_of_classes_has_no_sets_of_its_own(flowers):
    source = sources.build("image_folder", {}, root=flowers / "flowers/train")
    assert values(source.train) == ([10, 20, 30], [0, 0, 1])
    assert source.validation is None
    assert source.test is None


def test_images_get_the_size_and_mode_of_the_settings(flowers):
    assert build(flowers, size=5).train.inputs.shape == (3, 3, 5, 5)
    assert build(flowers, size=[2, 3], mode="grey").train.inputs.shape == (3, 1, 2, 3)
    assert build(flowers).train.inputs.shape == (3, 3, 4, 6)


def test_the_second_run_decodes_nothing(flowers, monkeypatch, cache):
    first = build(flowers)

    def never(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(image_folder, "decode", never)
    assert torch.equal(build(flowers).train.inputs, first.train.inputs)
    with pytest.raises(AssertionError, match="decoded again"):
        build(flowers, cache=False)


def test_with_cache_false_nothing_is_kept(flowers, cache):
    build(flowers, cache=False)
    assert not cache.exists()


@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_a_changed_image_is_seen(flowers, storage):
    build(flowers, storage=storage)
    save(flowers / "flowers/train/rose/1.png", 11, shape=(4, 6, 3))
    assert values(build(flowers, storage=storage).train)[0] == [11, 20, 30]


def test_an_image_added_or_removed_is_seen(flowers):
    build(flowers)
    save(flowers / "flowers/train/tulip/0.png", 70)
    assert values(build(flowers).train) == ([10, 20, 70, 30], [0, 0, 1, 1])
    (flowers / "flowers/train/rose/1.png").unlink()
    assert values(build(flowers).train)[0] == [20, 70, 30]


def test_images_of_different_sizes_need_a_size(flowers):
    save(flowers / "flowers/test/rose/5.png", 50, shape=(6, 4, 3))
    with pytest.raises(RequestError, match=r"data\.size=null: .*test/rose/5\.png is 6x4 and train/rose/1"):
        build(flowers)
    assert build(flowers, size=4).test.inputs.shape == (2, 3, 4, 4)


def test_images_that_do_not_fit_into_memory_are_refused_before_decoding(flowers, monkeypatch):
    monkeypatch.setattr(device, "available_bytes", lambda: 500)
    monkeypatch.setattr(image_folder, "decode", lambda *_, **__: pytest.fail("decoded"))
    for arguments in ({"storage": "memory"}, {"cache": False}):
        with pytest.raises(RequestError, match=r"6 images of 4x6 need .* set data\.storage=disk, or resize"):
            build(flowers, **arguments)


def test_images_that_are_large_for_the_memory_stay_on_disk(flowers, monkeypatch):
    assert isinstance(build(flowers).train.inputs, torch.Tensor)
    monkeypatch.setattr(device, "available_bytes", lambda: 500)
    source = build(flowers)
    assert isinstance(source.train.inputs, OnDisk)
    assert values(source.test) == ([50, 60], [0, 1])


def test_images_cannot_stay_on_disk_without_the_cache(flowers):
    with pytest.raises(RequestError, match=r"data\.storage=disk: .*set data\.cache=true"):
        build(flowers, cache=False, storage="disk")


def test_the_error_names_a_damaged_image_wherever_the_images_are_kept(flowers):
    (flowers / "flowers/train/tulip/3.png").write_bytes(b"torn")
    for storage in ("memory", "disk"):
        with pytest.raises(RequestError, match=r"tulip/3\.png cannot be read as an image"):
            build(flowers, storage=storage)
    assert list((flowers / "cache/images").glob("*.part")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": None}, r"data\.path=null"),
        ({"path": "absent"}, r"data\.path=absent: there is no .*absent"),
        ({"size": 0}, r"data\.size"),
        ({"size": [1, 2, 3]}, r"data\.size"),
        ({"mode": "gray"}, r"data\.mode='gray': .*did you mean 'grey'"),
    ],
)
def test_wrong_settings_are_refused(flowers, arguments, message):
    with pytest.raises(RequestError, match=message):
        build(flowers, **arguments)


def touch(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def test_class_folders_are_one_training_part_in_sorted_order(tmp_path):
    touch(tmp_path, "dog/b.jpg", "dog/a.png", "cat/z.JPG", "cat/10.webp", "cat/9.bmp")
    classes, (train, validation, test) = list_images(tmp_path)
    assert classes == ("cat", "dog")
    assert [file for file, _ in train] == ["cat/10.webp", "cat/9.bmp", "cat/z.JPG", "dog/a.png", "dog/b.jpg"]
    assert [label for _, label in train] == [0, 0, 0, 1, 1]
    assert (validation, test) == (None, None)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_train_with_val_and_test_beside_it_are_parts(tmp_path, name):
    touch(tmp_path, "train/a/1.jpg", "train/b/2.jpg", f"{name}/b/3.jpg", "test/a/4.jpg", "test/b/5.jpg")
    classes, parts = list_images(tmp_path)
    assert classes == ("a", "b")
    assert parts == (
        [("train/a/1.jpg", 0), ("train/b/2.jpg", 1)],
        [(f"{name}/b/3.jpg", 1)],
        [("test/a/4.jpg", 0), ("test/b/5.jpg", 1)],
    )


def test_a_class_of_trains_is_a_class(tmp_path):
    touch(tmp_path, "train/1.jpg", "bus/2.jpg")
    assert list_images(tmp_path)[0] == ("bus", "train")


def test_hidden_files_and_files_that_are_not_images_are_skipped(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/.2.jpg", "a/notes.txt", "a/Thumbs.db", ".git/x.jpg", "readme.md")
    assert list_images(tmp_path)[1][0] == [("a/1.jpg", 0)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["notes.txt"], r"no class folders in .*; expected <class>/<image>"),
        (["1.jpg"], r"no class folders in .*; expected <class>/<image>"),
        (["a/1.jpg", "b/notes.txt"], r"no images in the class folder .*/b"),
        (["train/a/1.jpg", "test/a/notes.txt"], r"no images in the class folder .*/test/a"),
        (["train/a/1.jpg", "test/1.jpg"], r"no class folders in .*/test"),
        (["train/a/1.jpg", "test/b/1.jpg"], r"/test/b is a class that .*/train does not have"),
        (["train/a/1.jpg", "val/a/1.jpg", "valid/a/1.jpg"], r"holds val and valid; keep one"),
    ],
)
def test_a_folder_that_is_not_a_data_set_is_refused_by_name(tmp_path, files, message):
    with pytest.raises(RequestError, match=r"data\.path: .*" + message):
        list_images(touch(tmp_path, *files))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"x\.zip is a file"):
        list_images(touch(tmp_path, "x.zip") / "x.zip")


def test_skipped_files_are_counted_in_a_warning(flowers, caplog):
    build(flowers)
    assert caplog.messages == []
    for name in ("rose/a.heic", "rose/b", "tulip/more/c.txt", "rose/.hidden", "rose/Thumbs.db"):
        (flowers / "flowers/train" / name).parent.mkdir(exist_ok=True)
        (flowers / "flowers/train" / name).write_bytes(b"x")
    build(flowers)
    (said,) = caplog.messages
    assert said.startswith(f"data.path: 3 files are skipped below {flowers}")
    assert "for example train/rose/a.heic" in said


def test_images_in_folders_below_a_class_are_of_that_class(tmp_path):
    save(tmp_path / "flowers/rose/1.png", 10)
    save(tmp_path / "flowers/rose/more/deep/2.png", 20)
    save(tmp_path / "flowers/rose/.ipynb_checkpoints/3.png", 30)
    save(tmp_path / "flowers/tulip/more/4.png", 40)
    save(tmp_path / "flowers/__MACOSX/rose/5.png", 50)
    classes, (train, _, _) = list_images(tmp_path / "flowers")
    assert classes == ("rose", "tulip")
    assert train == [("rose/1.png", 0), ("rose/more/deep/2.png", 0), ("tulip/more/4.png", 1)]


def test_folders_of_folders_of_images_are_not_taken_for_classes(tmp_path):
    save(tmp_path / "flowers/training_set/rose/1.png", 10)
    save(tmp_path / "flowers/test_set/rose/2.png", 20)
    with pytest.raises(
        RequestError, match=r"two folders down, as in test_set/rose/2\.png; expected <class>/"
    ):
        list_images(tmp_path / "flowers")


def test_a_link_to_an_image_that_is_read_anyway_is_skipped_and_others_are_read(tmp_path, caplog):
    save(tmp_path / "flowers/rose/1.png", 10)
    save(tmp_path / "flowers/tulip/2.png", 20)
    save(tmp_path / "elsewhere/3.png", 30)
    (tmp_path / "flowers/tulip/same.png").symlink_to(tmp_path / "flowers/rose/1.png")
    (tmp_path / "flowers/tulip/other.png").symlink_to(tmp_path / "elsewhere/3.png")
    assert values(build(tmp_path).train) == ([10, 20, 30], [0, 1, 1])
    assert "1 file is skipped" in caplog.text
    assert "tulip/same.png" in caplog.text
