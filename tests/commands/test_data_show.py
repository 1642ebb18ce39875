"""`dlx data show`: what a data set holds, from its name or from a path."""

import numpy as np
import pytest
from PIL import Image

from dlx.cli import main

Y = np.arange(40) % 2
IMAGES = np.arange(40, dtype=np.uint8)[:, None, None, None].repeat(6, 1).repeat(5, 2).repeat(3, 3)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    return tmp_path


def show(capsys, *words):
    assert main(["data", "show", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_counts_by_split_and_class_and_the_range_of_the_values(capsys):
    np.savez("mine.npz", inputs=IMAGES, labels=Y, test_inputs=IMAGES[:3] + 100, test_labels=Y[:3])
    lines = show(capsys, "mine.npz", "data.val_size=10", "data.split_seed=null")
    assert lines[0] == (
        "mine.npz: 30 train, 10 val, 3 test; 3x6x5 (channels x height x width), uint8 from 0 to 102"
    )
    assert [line.split() for line in lines[1:4]] == [
        ["class", "train", "val", "test"],
        ["0", "15", "5", "2"],
        ["1", "15", "5", "1"],
    ]
    assert lines[4] == "repeated: no sample is in the training split twice, or in it and in another split"


def test_repeated_samples_are_counted_with_those_that_have_another_label(capsys):
    inputs = IMAGES.copy()
    inputs[39] = inputs[38]  # of the other class
    np.savez("mine.npz", inputs=inputs, labels=Y, val_inputs=inputs[:4], val_labels=Y[:4])
    lines = show(capsys, "mine.npz")
    start = lines.index(
        "repeated: 1 of 40 train samples are the same, byte by byte, as an earlier training sample"
    )
    assert lines[start + 1 : start + 3] == [
        "repeated: 4 of 4 val samples are the same, byte by byte, as a training sample",
        "repeated: 1 of these have another label",
    ]


def test_the_contact_sheet_has_a_row_of_images_for_each_class(capsys, here):
    np.savez("mine.npz", inputs=IMAGES, labels=Y)
    assert (
        show(capsys, "mine.npz", "data.split_seed=null")[-1]
        == "mine-sheet.png: a few training images of each class"
    )
    sheet = np.asarray(Image.open(here / "mine-sheet.png"))
    rows = [sheet[4 + row * 64 + 20, 150:] for row in (0, 1)]
    # Validation takes the first four samples, so classes 0 and 1 begin with the images 4 and 5.
    assert [row[20].tolist() for row in rows] == [[4] * 3, [5] * 3]
    assert [row[20 + 54].tolist() for row in rows] == [[6] * 3, [7] * 3]


def test_the_sheet_goes_where_it_is_told_to(capsys, here):
    np.savez("mine.npz", inputs=IMAGES / 40, labels=Y)
    show(capsys, "mine.npz", "--sheet", "look.png")
    assert np.asarray(Image.open(here / "look.png")).min() == 0


def test_a_table_is_shown_by_column_even_without_a_target(capsys, here):
    (here / "cats.csv").write_text(
        "weight,colour,born\n2.5,red,2020-01-02\n,blue,2021-02-03\n4,red,2022-01-01\n"
    )
    assert show(capsys, "cats.csv") == [
        "cats.csv: 3 rows, 3 columns",
        "  weight  numbers from 2.5 to 4, 1 empty",
        "  colour  2 different texts: blue, red",
        "  born    dates",
        "classes and splits: add data.target=COLUMN, the column to predict",
    ]


def test_a_data_set_is_shown_by_its_name(capsys):
    lines = show(capsys, "digits")
    assert lines[0].startswith("digits: 1000 train, 397 val, 400 test; 1x8x8")
    assert len([line for line in lines if line.startswith("  ")]) == 11


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show"], "show needs a name from `dlx data list` or the path of a file or folder"),
        (["show", "digts"], "digts: there is no such file or folder, and no data set of that name; did you"),
        (["show", "notes.docx"], "notes.docx: dlx reads .npz, .npy, .csv"),
        (["show", "digits", "--sheet", "x"], "--sheet x: give a file name that ends in .png"),
        (["show", "blobs", "--sheet", "x.png"], "--sheet: only images with classes are drawn"),
        (["list", "--sheet", "x.png"], "--sheet: only `dlx data show` draws one, not list"),
    ],
)
def test_wrong_words_are_answered_in_one_line(words, message, capsys, here):
    (here / "notes.docx").write_bytes(b"x")
    assert main(["data", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not list(here.glob("*.png"))
