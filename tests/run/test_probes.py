"""Probes' arrays are read as they were written, are None if missing, and are refused by name if damaged."""

from pathlib import Path

import numpy as np
import pytest

from dlx.run.probes import (
    IMAGES,
    LOGITS,
    Images,
    Logits,
    read_classes,
    read_gradients,
    read_images,
    read_layers,
    read_logits,
    read_steps,
    write_images,
    write_logits,
)

READERS = [read_layers, read_gradients, read_steps, read_classes, read_logits, read_images]


@pytest.mark.parametrize("reader", READERS)
def test_a_run_without_the_file_has_none(tmp_path: Path, reader) -> None:
    assert reader(tmp_path) is None


def test_logits_are_read_as_they_were_written(tmp_path: Path) -> None:
    outputs = np.linspace(-3, 3, 24, dtype=np.float32).reshape(2, 4, 3)
    write_logits(tmp_path, Logits(np.array([1, 5]), outputs, np.array([0, 1, 2, 0])))
    back = read_logits(tmp_path)
    assert back is not None
    assert back.epochs.tolist() == [1, 5]
    assert back.outputs.dtype == np.float16
    np.testing.assert_allclose(back.outputs, outputs, rtol=1e-3)
    assert back.labels.tolist() == [0, 1, 2, 0]


def test_logits_too_large_for_half_precision_are_stored_in_single_precision(tmp_path: Path) -> None:
    write_logits(tmp_path, Logits(np.array([1]), np.full((1, 1, 2), 1e6, np.float32), np.array([0])))
    back = read_logits(tmp_path)
    assert back is not None
    assert (back.outputs == 1e6).all()


def test_images_are_read_as_they_were_written(tmp_path: Path) -> None:
    before = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    write_images(tmp_path, Images(before, before[::-1], np.array([3, 1])))
    back = read_images(tmp_path)
    assert back is not None
    np.testing.assert_array_equal(back.before, before)
    np.testing.assert_array_equal(back.after, before[::-1])


@pytest.mark.parametrize(
    ("name", "reader", "text"),
    [
        (
            "layers.csv",
            read_layers,
            "epoch,phase,layer,module,mean,abs_mean,std\n0,val,net.0,Linear,0.5,,1.25",
        ),
        ("gradients.csv", read_gradients, "epoch,parameter,abs_gradient,abs_weight\n1,net.0.weight,0.5,2.0"),
        ("steps.csv", read_steps, "step,loss\n1,0.5\n2,0.25"),
        ("classes.csv", read_classes, "epoch,class,samples,accuracy\n3,cat,12,0.5"),
    ],
)
def test_a_table_is_read_with_whole_numbers_and_words_as_such(tmp_path: Path, name, reader, text) -> None:
    (tmp_path / name).write_text(text + "\n")
    read = reader(tmp_path)
    header, *rows = (line.split(",") for line in text.split("\n"))
    assert list(read.columns) == header
    kinds = {"epoch": int, "step": int, "samples": int, "loss": float, "accuracy": float}
    for number, row in enumerate(rows):
        for column, cell in zip(header, row, strict=True):
            kind = kinds.get(column, float if column.startswith(("mean", "abs", "std")) else str)
            value = read[column][number]
            assert value == kind(cell) if cell else np.isnan(value)
    assert all(read[column].dtype.kind == "i" for column in header if kinds.get(column) is int)


@pytest.mark.parametrize(("name", "reader"), [(LOGITS, read_logits), (IMAGES, read_images)])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str, reader) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ValueError, match=name):
        reader(tmp_path)
