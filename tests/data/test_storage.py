"""Data is kept on disk, in memory or as floats by how much each core's process could hold."""

import pytest

from dlx import device
from dlx.data import storage
from dlx.data.storage import fits_in_memory, keeps_floats

MB = 1_000_000


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """4 cores that share 100 MB: dlx takes at most 80 of it."""
    monkeypatch.setattr(device, "available_bytes", lambda: 100 * MB)
    monkeypatch.setattr("os.cpu_count", lambda: 4)


def test_pixels_count_twice_and_their_floats_four_times(monkeypatch):
    assert fits_in_memory(20 * MB // 6)
    assert not fits_in_memory(20 * MB // 6 + 1)
    monkeypatch.setattr(storage, "FLOAT_COPY_BYTES", 2 * MB)  # larger splits have no float copy
    assert fits_in_memory(9 * MB)
    assert not fits_in_memory(9 * MB + 1)


def test_floats_are_kept_if_they_are_small_and_fit(monkeypatch):
    assert keeps_floats(20 * MB)
    assert not keeps_floats(20 * MB + 1)
    monkeypatch.setattr(storage, "FLOAT_COPY_BYTES", 2 * MB)
    assert keeps_floats(2 * MB - 1)
    assert not keeps_floats(2 * MB)


def test_where_the_free_memory_is_unknown_all_fits(monkeypatch):
    monkeypatch.setattr(device, "available_bytes", lambda: None)
    assert fits_in_memory(10**15)
    assert keeps_floats(storage.FLOAT_COPY_BYTES - 1)
