"""Data sets of Hugging Face, as save_to_disk and the Hub lay them out, are read by value or refused."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlx.config import DataSettings
from dlx.data.huggingface import huggingface
from dlx.data.own_files import data_fingerprints, forget_data
from dlx.errors import RequestError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

DRAWS = np.random.default_rng(0)
PIXELS_NHW = DRAWS.integers(0, 255, (12, 4, 6), dtype=np.uint8)
CLASSES = ["cat", "dog", "eel"]


def png(pixels: Any) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def pets(count: int = 12) -> Any:
    """Return a table as `datasets` keeps one: images in a struct, and its own types in the metadata."""
    features = {"image": {"_type": "Image"}, "label": {"names": CLASSES, "_type": "ClassLabel"}}
    table = pa.table(
        {
            "image": [png(pixels) for pixels in PIXELS_NHW[:count]],
            "label": pa.array([index % 3 for index in range(count)], pa.int64()),
            "weight": [0.5] * count,
        }
    )
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def save_to_disk(folder: Path, table: Any, shards: int = 1) -> Path:
    """Write a folder as `Dataset.save_to_disk` does."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{shard:05}-of-{shards:05}.arrow" for shard in range(shards)]
    rows = -(-len(table) // shards)
    for shard, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table.slice(shard * rows, rows))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return folder


def save_splits(folder: Path) -> Path:
    for split, count in (("train", 12), ("test", 6), ("unsupervised", 3)):
        save_to_disk(folder / split, pets(count))
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test", "unsupervised"]}')
    return folder


def save_as_on_the_hub(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    for number in range(2):
        part = pets().slice(6 * number, 6)
        parquet.write_table(part, folder / "data" / f"train-0000{number}-of-00002.parquet")
    parquet.write_table(pets(6), folder / "data" / "test-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("save", [save_splits, save_as_on_the_hub])
def test_images_class_names_and_splits_are_read(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "pets")
    source = huggingface(tmp_path, path="pets")
    assert source.classes == tuple(CLASSES)
    assert source.train.inputs.dtype == torch.uint8
    assert np.asarray(source.train.inputs).tolist() == PIXELS_NHW[:, None].tolist()
    assert source.train.labels.tolist() == [index % 3 for index in range(12)]
    assert source.test is not None
    assert np.asarray(source.test.inputs).tolist() == PIXELS_NHW[:6, None].tolist()
    assert (source.validation, source.white) == (None, 255.0)
    assert source.notes[0] == "data.path: pets: column image was read as the inputs, label as the labels"


def test_shards_are_joined_in_order_and_a_single_set_is_the_training_set(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "pets", pets(), shards=3)
    source = huggingface(tmp_path, path="pets")
    assert np.asarray(source.train.inputs).tolist() == PIXELS_NHW[:, None].tolist()
    assert source.test is None


def test_arrays_and_columns_of_numbers_are_inputs(tmp_path: Path) -> None:
    arrays = pa.array(PIXELS_NHW.tolist(), pa.list_(pa.list_(pa.uint8())))
    save_to_disk(tmp_path / "arrays", pa.table({"pixels": arrays, "digit": [1, 2] * 6}))
    source = huggingface(tmp_path, path="arrays", labels="digit")
    assert np.asarray(source.train.inputs).tolist() == PIXELS_NHW[:, None].tolist()
    assert (source.classes, source.train.labels.tolist()) == (("1", "2"), [0, 1] * 6)
    columns = {
        "a": [0.5 * row for row in range(12)],
        "b": [*range(12)],
        "y": ["no", "yes"] * 6,
        "t": ["x"] * 12,
    }
    parquet.write_table(pa.table(columns), tmp_path / "flat.parquet")
    source = huggingface(tmp_path, path="flat.parquet")
    assert source.train.inputs.tolist() == [[0.5 * row, row] for row in range(12)]
    assert source.classes == ("no", "yes")
    assert huggingface(tmp_path, path="flat.parquet", inputs="b").train.inputs.shape == (12, 1)


def test_fractions_are_a_regression(tmp_path: Path) -> None:
    values = [0.3 * row for row in range(12)]
    parquet.write_table(pa.table({"x": [*range(12)], "target": values}), tmp_path / "r.parquet")
    source = huggingface(tmp_path, path="r.parquet")
    assert (source.classes, source.train.labels.tolist()) == ((), pytest.approx(values))


def test_images_are_resized_if_a_size_is_given_and_refused_if_theirs_differ(tmp_path: Path) -> None:
    other = pets().set_column(0, "image", [[png(PIXELS_NHW[0]), *[png(PIXELS_NHW[0].T)] * 11]])
    save_to_disk(tmp_path / "pets", other)
    with pytest.raises(RequestError, match=r"row 2 of image is 6x4 and the first is 4x6 .* data.size=4"):
        huggingface(tmp_path, path="pets")
    assert huggingface(tmp_path, path="pets", size=(5, 3)).train.inputs.shape == (12, 1, 5, 3)


@pytest.mark.parametrize(
    ("columns", "keys", "said"),
    [
        ({"text": ["a", "b"], "label": [0, 1]}, {}, "no column of images, arrays or numbers .* text"),
        ({"a": [1, 2], "b": [0, 1]}, {}, "data.labels: name the column to predict; set has a, b"),
        ({"a": [1, 2], "label": [0, 1]}, {"labels": "lable"}, "did you mean 'label'"),
        ({"a": [1, 2], "label": [0, 1]}, {"inputs": "label"}, "this column is data.labels"),
        ({"a": [1, None], "label": [0, 1]}, {}, "1 empty cells in a"),
        ({"a": [[1], [2, 3]], "label": [0, 1]}, {}, "arrays of different shapes in column a"),
        ({"a": [1, 2], "label": [0, 1]}, {"size": 8}, "only images can be resized"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_the_remedy(
    tmp_path: Path, columns: Any, keys: Any, said: str
) -> None:
    save_to_disk(tmp_path / "set", pa.table(columns))
    with pytest.raises(RequestError, match=said):
        huggingface(tmp_path, path="set", **keys)


def test_folders_without_one_data_set_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="holds no data set; expected what save_to_disk writes"):
        huggingface(tmp_path, path="empty")
    for name in ("en", "de"):
        (tmp_path / "hub" / name).mkdir(parents=True)
        parquet.write_table(pets(), tmp_path / "hub" / name / "train-00000-of-00001.parquet")
    with pytest.raises(RequestError, match=r"several data sets \(de, en\)"):
        huggingface(tmp_path, path="hub")
    (tmp_path / "hub" / "de" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RequestError, match=r"parquet cannot be read"):
        huggingface(tmp_path, path="hub/de")


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = save_as_on_the_hub(tmp_path / "pets")
    settings = DataSettings.model_validate(
        {
            "name": "huggingface",
            "root": str(tmp_path),
            "path": "pets",
            "split_seed": 0,
            "train_size": None,
            "val_size": None,
            "test_size": None,
            "stratify": False,
            "standardise": "unit",
        }
    )
    before = data_fingerprints(settings)
    assert list(before) == ["pets/"]
    parquet.write_table(pets(3), folder / "data" / "test-00000-of-00001.parquet")
    forget_data()
    assert data_fingerprints(settings) != before
