"""Samples on disk are the rows of a file: selected as a tensor's are, read when asked for, with its bits."""

import gc
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from dlx.data.on_disk import ArrayFile, OnDisk, in_memory
from dlx.errors import RequestError

VALUES = np.random.default_rng(0).integers(0, 256, (30, 3, 4, 5), dtype=np.uint8)
ROWS = torch.randperm(30, generator=torch.Generator().manual_seed(0))


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, other=np.arange(3), inputs=VALUES)
    return path


@pytest.fixture
def samples(file):
    return OnDisk(ArrayFile(file, "inputs"))


def test_the_values_are_those_of_the_array(samples):
    read = samples.read()
    assert read.dtype == samples.dtype == torch.uint8
    assert torch.equal(read, torch.from_numpy(VALUES))
    assert torch.equal(in_memory(samples), in_memory(read))


@pytest.mark.parametrize(
    "select",
    [
        lambda x: x[4:9],
        lambda x: x[25:99],
        lambda x: x[ROWS[:7]],
        lambda x: x.index_select(0, ROWS[:7]),
        lambda x: x[10:].index_select(0, torch.tensor([3, 0, 3]))[1:],
        lambda x: x[3:3],
        lambda x: x.unsqueeze(1)[2:5],
    ],
)
def test_samples_are_selected_as_a_tensors_are(samples, select):
    chosen, expected = select(samples), select(torch.from_numpy(VALUES))
    assert isinstance(chosen, OnDisk)
    assert (len(chosen), chosen.shape) == (len(expected), tuple(expected.shape))
    assert torch.equal(chosen.read(), expected)


def test_images_with_channels_last_become_channels_first(samples):
    expected = torch.from_numpy(VALUES).permute(0, 3, 1, 2)
    first = samples.channels_first()
    assert first.shape == (30, 5, 3, 4)
    assert torch.equal(first.read(), expected)
    assert torch.equal(first[ROWS[:7]].in_order_of_file()[1:].read(), expected[ROWS[:7].sort().values][1:])


def test_the_order_of_the_file_has_the_same_samples(samples):
    assert torch.equal(samples[ROWS].in_order_of_file().read(), samples.read())


def test_only_the_numbers_of_the_rows_take_memory(samples):
    assert samples.nbytes == 30 * 8
    assert samples[:5].nbytes == 5 * 8


def test_a_batch_that_was_read_may_be_changed(samples):
    samples[:2].read().zero_()
    assert torch.equal(samples.read(), torch.from_numpy(VALUES))


def test_a_file_that_was_replaced_is_still_read_as_it_was_opened(samples, file, tmp_path):
    np.savez(tmp_path / "b.npz", inputs=VALUES + 1)
    (tmp_path / "b.npz").replace(file)
    assert torch.equal(samples.read(), torch.from_numpy(VALUES))


def test_a_file_that_is_changed_in_its_place_is_an_error(samples, file):
    content = file.read_bytes()
    file.write_bytes(content.replace(VALUES.tobytes(), (VALUES ^ 1).tobytes()))
    os.utime(file, (1, 1))
    with pytest.raises(RequestError, match=r"a\.npz was changed while it was in use"):
        samples[:1].read()


def test_a_file_that_has_become_shorter_is_an_error(samples, file):
    os.truncate(file, 600)
    with pytest.raises(RequestError, match=r"a\.npz was changed while it was in use"):
        samples[25:].read()


def test_a_disk_that_gives_less_than_it_has_is_an_error(monkeypatch, samples):
    monkeypatch.setattr(os, "preadv", lambda descriptor, buffers, offset: len(buffers[0]) - 1)
    with pytest.raises(OSError, match="less could be read"):
        samples[25:].read()


def test_files_are_closed_when_nobody_needs_them(file):
    gc.collect()
    before = open_files()
    samples = [OnDisk(ArrayFile(file, "inputs"))[:3] for _ in range(5)]
    assert open_files() == before + 5
    del samples
    gc.collect()
    assert open_files() == before


@pytest.mark.parametrize(
    ("save", "values", "reason"),
    [
        (np.savez_compressed, VALUES, "inputs is compressed"),
        (np.savez, VALUES.astype(np.float32), "inputs is float32 in C order; it needs to be uint8"),
        (np.savez, np.asfortranarray(VALUES), "inputs is uint8 in Fortran order"),
        (np.savez, np.uint8(3), "inputs is uint8"),
    ],
)
def test_other_arrays_are_refused_with_the_reason(tmp_path, save, values, reason):
    save(tmp_path / "a.npz", inputs=values)
    with pytest.raises(ValueError, match=reason):
        ArrayFile(tmp_path / "a.npz", "inputs")


@pytest.mark.parametrize("place", range(0, VALUES.nbytes, 97))
def test_a_flipped_bit_is_found_when_the_file_is_opened(file, place):
    content = bytearray(file.read_bytes())
    content[content.index(VALUES.tobytes()) + place] ^= 4
    file.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile):
        ArrayFile(file, "inputs")
