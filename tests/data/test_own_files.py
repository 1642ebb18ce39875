"""The user's arrays and images are known by their content: a touched or moved file is the same data."""

import os

import numpy as np
import pytest
from PIL import Image

from dlx.config import DataSettings
from dlx.data import own_files
from dlx.data.own_files import data_fingerprints, forget_data
from dlx.run.identity import identity

GIVEN = {"train_size": None, "val_size": None, "test_size": None, "split_seed": 0, "stratify": False}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    return tmp_path


def look(root, path, name="npz", **more):
    forget_data()
    settings = DataSettings(name=name, root=str(root), path=path, standardise="none", **GIVEN, **more)
    return data_fingerprints(settings)


def paint(folder, shades):
    for name, shade in shades.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), shade).save(path)
    return folder


def test_an_array_file_is_known_by_its_content(folder):
    np.savez(folder / "a.npz", inputs=np.zeros((2, 3)), labels=[0, 1])
    first = look(folder, "a.npz")
    assert list(first) == ["a.npz"]
    os.utime(folder / "a.npz", (1, 1))
    assert look(folder, "a.npz") == first
    (folder / "a.npz").rename(folder / "b.npz")
    assert list(look(folder, "b.npz").values()) == list(first.values())
    np.savez(folder / "b.npz", inputs=np.ones((2, 3)), labels=[0, 1])
    assert list(look(folder, "b.npz").values()) != list(first.values())


def test_a_large_file_is_known_by_its_size_and_time(folder, monkeypatch):
    monkeypatch.setattr(own_files, "MOST_READ", 3)
    (folder / "a.npz").write_bytes(b"1234")
    first = look(folder, "a.npz")["a.npz"]
    assert first.startswith("4 bytes:")
    os.utime(folder / "a.npz", (1, 1))
    assert look(folder, "a.npz")["a.npz"] != first


def test_a_content_that_takes_time_to_read_is_remembered(folder, monkeypatch):
    monkeypatch.setattr(own_files, "REMEMBERED", 0)
    (folder / "a.npz").write_bytes(b"1234")
    first = look(folder, "a.npz")
    (folder / "other.npz").write_bytes(b"5678")
    times = (folder / "a.npz").stat()
    reads = []
    content = own_files._content_of_file
    monkeypatch.setattr(own_files, "_content_of_file", lambda path: reads.append(path) or content(path))
    assert look(folder, "a.npz") == first
    assert reads == []
    os.utime(folder / "other.npz", ns=(times.st_atime_ns, times.st_mtime_ns))
    (folder / "other.npz").replace(folder / "a.npz")  # of the same size and time
    assert look(folder, "a.npz") != first


def test_a_folder_of_images_is_known_by_its_images_and_their_classes(folder):
    flowers = paint(folder / "flowers", {"rose/1.png": 10, "rose/2.png": 20, "tulip/3.png": 30})
    first = look(flowers, ".", "image_folder")
    assert list(first) == ["flowers/"]
    (flowers / "notes.txt").write_text("not an image")
    os.utime(flowers / "rose/1.png", (1, 1))
    assert look(flowers, ".", "image_folder") == first
    (flowers / "rose/2.png").rename(flowers / "tulip/2.png")  # now of another class
    moved = look(flowers, ".", "image_folder")
    paint(flowers, {"rose/1.png": 11})
    assert len({str(each) for each in (first, moved, look(flowers, ".", "image_folder"))}) == 3


@pytest.mark.parametrize(("path", "name"), [("none.npz", "npz"), (None, "npz"), ("none", "image_folder")])
def test_what_does_not_exist_is_left_to_whoever_reads_it(folder, path, name):
    assert look(folder, path, name) == {}


def test_npy_files_are_known_by_the_content_of_inputs_and_labels(folder):
    for name in ("X", "y", "ages"):
        np.save(folder / f"{name}.npy", np.arange(3))
    pair = look(folder, "X.npy")
    assert list(pair) == ["X.npy", "y.npy"]
    assert list(look(folder, "X.npy", labels="ages.npy")) == ["X.npy", "ages.npy"]
    whole = look(folder, ".")
    assert list(whole) == [f"{folder.name}/"]
    np.save(folder / "y.npy", np.arange(4))
    assert look(folder, "X.npy")["X.npy"] == pair["X.npy"]
    assert look(folder, "X.npy")["y.npy"] != pair["y.npy"]
    assert look(folder, ".") != whole


def test_a_run_that_sets_none_of_the_later_keys_keeps_its_identity():
    before = {"data": {"name": "npz", "root": "arrays", "path": "a.npz"}, "dtype": "float32"}
    later = {"inputs": None, "labels": None, "task": "auto"}
    now = before | {"data": before["data"] | later}
    assert identity(now) == identity(before)
    assert identity(before | {"data": now["data"] | {"task": "regression"}}) != identity(before)
