import pytest

from dlx.data.image_listing import list_images
from dlx.errors import RequestError


def touch(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def test_class_folders_are_one_training_part_in_sorted_order(tmp_path):
    touch(tmp_path, "dog/b.jpg", "dog/a.png", "cat/z.JPG", "cat/10.webp", "cat/9.bmp")
    listing = list_images(tmp_path)
    assert listing.classes == ("cat", "dog")
    assert listing.train.files == ("cat/10.webp", "cat/9.bmp", "cat/z.JPG", "dog/a.png", "dog/b.jpg")
    assert listing.train.labels == (0, 0, 0, 1, 1)
    assert listing.validation is None
    assert listing.test is None


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_train_with_val_and_test_beside_it_are_parts(tmp_path, name):
    touch(tmp_path, "train/a/1.jpg", "train/b/2.jpg", f"{name}/b/3.jpg", "test/a/4.jpg", "test/b/5.jpg")
    listing = list_images(tmp_path)
    assert listing.classes == ("a", "b")
    assert listing.train.files == ("train/a/1.jpg", "train/b/2.jpg")
    assert (listing.validation.files, listing.validation.labels) == ((f"{name}/b/3.jpg",), (1,))
    assert (listing.test.files, listing.test.labels) == (("test/a/4.jpg", "test/b/5.jpg"), (0, 1))
    assert listing.files[listing.validation.start] == f"{name}/b/3.jpg"
    assert listing.files[listing.test.start] == "test/a/4.jpg"


def test_a_class_of_trains_is_a_class(tmp_path):
    touch(tmp_path, "train/1.jpg", "bus/2.jpg")
    assert list_images(tmp_path).classes == ("bus", "train")


def test_hidden_files_and_what_is_no_image_are_passed_over(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/.2.jpg", "a/notes.txt", "a/Thumbs.db", ".git/x.jpg", "readme.md")
    assert list_images(tmp_path).files == ["a/1.jpg"]


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
def test_a_folder_that_is_no_data_set_is_refused_by_name(tmp_path, files, message):
    with pytest.raises(RequestError, match=r"data\.path: .*" + message):
        list_images(touch(tmp_path, *files))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"x\.zip is a file"):
        list_images(touch(tmp_path, "x.zip") / "x.zip")
