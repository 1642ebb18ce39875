"""Data files as people have them: each is understood, or refused in one line that names the remedy."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlx.compose.request import compose_one
from dlx.data.dataset import load
from dlx.errors import RequestError

N = 60
Y = np.arange(N) % 3
GREY = (np.random.default_rng(0).integers(0, 60, (N, 8, 8)) + Y[:, None, None] * 60).astype(np.uint8)
COLOUR = np.repeat(GREY[..., None], 3, -1)
FLAT = GREY.reshape(N, 64) / 255
WORDS = np.array(["cat", "dog", "eel"])[Y]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Stand in the folder that holds the files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    return tmp_path


def read(*words):
    settings = compose_one([*words]).data
    return load(settings, dtype=torch.float32, device=torch.device("cpu"))


def write_csv(path, rows, separator=","):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows(rows)


def flowers(lengths=None):
    lengths = lengths or [f"{4 + y + i / 100:.2f}" for i, y in enumerate(Y)]
    return [
        ["length", "colour", "species"],
        *zip(lengths, np.array(["red", "blue"])[Y % 2], WORDS, strict=True),
    ]


def medmnist():
    np.savez_compressed(
        "medmnist.npz",
        train_images=COLOUR,
        train_labels=Y[:, None].astype(np.uint8),
        val_images=COLOUR[:30],
        val_labels=Y[:30, None].astype(np.uint8),
        test_images=COLOUR[:12],
        test_labels=Y[:12, None].astype(np.uint8),
    )


def npz(name, **arrays):
    return lambda: np.savez(name, **arrays)


def npy_folder():
    Path("arrays").mkdir()
    for name, array in {"X_train": FLAT, "y_train": Y, "X_test": FLAT[:9], "y_test": Y[:9]}.items():
        np.save(f"arrays/{name}.npy", array)


def npy_pair(labels):
    def write():
        np.save("X.npy", FLAT)
        np.save(f"{labels}.npy", Y)

    return write


def pictures():
    for i, y in enumerate(Y):
        Path("pictures", WORDS[i]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(COLOUR[i]).save(f"pictures/{WORDS[y]}/{i}.png")


def headless():
    write_csv("iris.csv", flowers()[1:])


CLASSES = ("0", "1", "2")
NAMES = ("cat", "dog", "eel")
# By kind: what writes the file, the words, classes, the shape of a sample, sizes of the splits, what is said.
UNDERSTOOD = {
    "medmnist": (
        medmnist,
        "data=npz data.path=medmnist.npz",
        CLASSES,
        (3, 8, 8),
        (60, 30, 12),
        "channels last",
    ),
    "keras": (
        npz("keras.npz", x_train=GREY, y_train=Y, x_test=GREY[:20], y_test=Y[:20]),
        *(
            "data=npz data.path=keras.npz",
            CLASSES,
            (1, 8, 8),
            (54, 6, 20),
            "x_train and y_train for training",
        ),
    ),
    "column": (
        npz("mine.npz", X=FLAT, y=Y[:, None]),
        *("data=npz data.path=mine.npz", CLASSES, (64,), (54, 6, 0), "X and y for training"),
    ),
    "one-hot": (
        npz("mine.npz", images=COLOUR, labels=np.eye(3)[Y]),
        *("data=npz data.path=mine.npz", CLASSES, (3, 8, 8), (54, 6, 0), "labels are one-hot"),
    ),
    "whole floats": (
        npz("mine.npz", data=FLAT, target=Y.astype(np.float32)),
        *("data=npz data.path=mine.npz", CLASSES, (64,), (54, 6, 0), "target are whole numbers in float32"),
    ),
    "words": (
        npz("mine.npz", inputs=FLAT, labels=WORDS),
        *(
            "data=npz data.path=mine.npz",
            NAMES,
            (64,),
            (54, 6, 0),
            "cat, dog, eel were read as classes 0 to 2",
        ),
    ),
    "from 1": (
        npz("mine.npz", inputs=FLAT, labels=Y + 1),
        *("data=npz data.path=mine.npz", ("1", "2", "3"), (64,), (54, 6, 0)),
        "labels 1 to 3 were read as classes 0 to 2",
    ),
    "minus 1 and 1": (
        npz("mine.npz", inputs=FLAT, labels=2 * (Y == 1) - 1),
        *("data=npz data.path=mine.npz", ("-1", "1"), (64,), (54, 6, 0)),
        "labels -1, 1 were read as classes 0 to 1",
    ),
    "with gaps": (
        npz("mine.npz", inputs=FLAT, labels=np.array([0, 1, 5])[Y]),
        *("data=npz data.path=mine.npz", ("0", "1", "5"), (64,), (54, 6, 0)),
        "labels 0, 1, 5 were read as classes 0 to 2",
    ),
    "unnamed": (
        lambda: np.savez("mine.npz", FLAT, Y),
        *("data=npz data.path=mine.npz", CLASSES, (64,), (54, 6, 0), "arr_0 and arr_1 for training"),
    ),
    "names of one's own": (
        npz("mine.npz", pixels=GREY, emotion=Y),
        *(
            "data=npz data.path=mine.npz data.inputs=pixels data.labels=emotion",
            CLASSES,
            (1, 8, 8),
            (54, 6, 0),
        ),
        "pixels and emotion for training",
    ),
    "folder of npy": (
        npy_folder,
        "data=npz data.path=arrays",
        CLASSES,
        (64,),
        (54, 6, 9),
        "X_test and y_test for test",
    ),
    "pair of npy": (
        npy_pair("y"),
        "data=npz data.path=X.npy",
        CLASSES,
        (64,),
        (54, 6, 0),
        "X and y for training",
    ),
    "named pair of npy": (
        npy_pair("ages"),
        *(
            "data=npz data.path=X.npy data.labels=ages.npy",
            CLASSES,
            (64,),
            (54, 6, 0),
            "X and ages for training",
        ),
    ),
    "several numbers": (
        npz("mine.npz", inputs=FLAT, labels=FLAT[:, :2] + 0.5),
        *("data=npz data.path=mine.npz", (), (64,), (54, 6, 0), "no test split"),
    ),
    "several labels": (
        npz("chest.npz", inputs=FLAT, labels=np.stack([Y == 1, Y < 2], 1).astype(int)),
        *("data=npz data.path=chest.npz", (), (64,), (54, 6, 0), "labels were read as 2 yes-or-no labels"),
    ),
    "csv": (
        lambda: write_csv("iris.csv", flowers()),
        *("data=table data.path=iris.csv data.target=species", NAMES, (3,), (48, 12, 0)),
        "texts became 2 columns of 0 and 1: colour",
    ),
    "csv with semicolons and decimal commas": (
        lambda: write_csv(
            "iris.csv", flowers([f"{4 + i / 100:.2f}".replace(".", ",") for i in range(N)]), ";"
        ),
        *(
            "data=table data.path=iris.csv data.target=species",
            NAMES,
            (3,),
            (48, 12, 0),
            "12 validation samples",
        ),
    ),
    "csv of a regression": (
        lambda: write_csv("iris.csv", flowers()),
        *("data=table data.path=iris.csv data.target=length", (), (5,), (48, 12, 0), "colour, species"),
    ),
    "image folder": (
        pictures,
        "data=image_folder data.path=pictures",
        NAMES,
        (3, 8, 8),
        (54, 6, 0),
        "6 validation",
    ),
}


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_a_file_is_understood_and_what_was_understood_is_noted(kind):
    write, words, classes, shape, sizes, said = UNDERSTOOD[kind]
    write()
    data = read(*words.split())
    assert data.classes == classes
    assert data.input_shape == shape
    assert (len(data.train), len(data.val), len(data.test)) == sizes
    assert said in "\n".join(data.notes)
    if classes:
        assert sorted(data.train.labels.unique().tolist()) == list(range(len(classes)))
    else:
        assert data.train.labels.dtype == torch.float32


MINE = "data=npz data.path=mine.npz"
IRIS = "data=table data.path=iris.csv"
PIXELS = {f"pixel{i}": FLAT[:, i] for i in range(3)}
REFUSED = {
    "no labels": (lambda: np.savez("mine.npz", GREY), MINE, "it has arr_0", "data.labels=NAME"),
    "two inputs": (
        npz("mine.npz", images=GREY, data=FLAT, target=Y),
        MINE,
        "both images and data",
        "data.inputs=NAME",
    ),
    "unknown names": (
        npz("mine.npz", pixels=GREY, emotion=Y),
        MINE,
        "it has emotion, pixels",
        "data.inputs=NAME",
    ),
    "test without labels": (
        npz("mine.npz", x_train=FLAT, y_train=Y, x_test=FLAT),
        *(MINE, "x_test has no labels", "data.inputs=NAME"),
    ),
    "objects": (
        npz("mine.npz", inputs=FLAT, labels=WORDS.astype(object)),
        MINE,
        "pickled objects",
        "astype(str)",
    ),
    "not a number": (
        npz("mine.npz", inputs=np.where(FLAT > 0.6, np.nan, FLAT), labels=Y),
        *(MINE, "inputs is not finite at [2, 0]: nan", "leave such samples out"),
    ),
    "probabilities": (
        npz("mine.npz", inputs=FLAT, labels=np.full((N, 3), 1 / 3)),
        MINE,
        "are probabilities",
        "argmax(1)",
    ),
    "unlabelled": (
        npz("mine.npz", inputs=FLAT, labels=Y - 1),
        MINE,
        "-1 may stand for samples without",
        "leave these out",
    ),
    "one array": (
        lambda: np.save("mine.npy", FLAT),
        "data=npz data.path=mine.npy",
        "a single array",
        "data.labels=NAME.npy",
    ),
    "pickle": (
        lambda: Path("mine.npz").write_bytes(b"\x80\x04N."),
        *(MINE, "is not an .npz file", "write it with numpy.savez"),
    ),
    "no target": (
        lambda: write_csv("iris.csv", flowers()),
        IRIS,
        "length, colour, species",
        "name the column to predict",
    ),
    "wrong target": (
        lambda: write_csv("iris.csv", flowers()),
        *(f"{IRIS} data.target=specie", "no such column", "did you mean 'species'"),
    ),
    "no line of names": (
        headless,
        f"{IRIS} data.target=species",
        "no such column",
        "(it has 4.00, red, cat)",
    ),
    "empty cells": (
        lambda: write_csv("iris.csv", flowers(["", "", *["1.5"] * (N - 2)])),
        *(f"{IRIS} data.target=species", "length (2 of 60 rows)", "data.missing=drop"),
    ),
    "question marks": (
        lambda: write_csv("iris.csv", flowers([*map(str, range(N - 1)), "?"])),
        *(
            f"{IRIS} data.target=species",
            "'?' among the numbers of column length (row 60)",
            "data.ignore=[length]",
        ),
    ),
    "dates": (
        lambda: write_csv("iris.csv", flowers([f"2024-01-{1 + i % 28:02}" for i in range(N)])),
        *(f"{IRIS} data.target=species", "dates in column length", "data.ignore=[length]"),
    ),
    "names of people": (
        lambda: write_csv("iris.csv", flowers([f"person {i}" for i in range(N)])),
        *(f"{IRIS} data.target=species", "hardly repeat (60 in length, in 60 rows)", "data.ignore=[length]"),
    ),
    "excel": (
        lambda: Path("iris.xlsx").write_bytes(b"PK"),
        *("data=table data.path=iris.xlsx data.target=species", "is not read as a table", "save it as .csv"),
    ),
    "hugging face": (
        lambda: Path("dataset_dict.json").write_text("{}"),
        *(
            "data=table data.path=. data.target=label",
            "is a folder with a data set of Hugging Face",
            "use data=huggingface",
        ),
    ),
    "not there": (lambda: None, MINE, "there is no", "relative to data.root, by default the current folder"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_is_refused_in_one_line_that_names_the_array_and_the_remedy(kind):
    write, words, named, remedy = REFUSED[kind]
    write()
    with pytest.raises(RequestError) as refused:
        read(*words.split())
    message = str(refused.value)
    assert message.startswith("data.")
    assert named in message
    assert remedy in message
    assert "\n" not in message
