"""Images are decoded once and kept; whatever happens to the file, no wrong pixel comes from it."""

import errno
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from dlx.data.image_cache import cached, fingerprint
from dlx.data.on_disk import OnDisk, in_memory

IMAGES = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


class Decoder:
    """Counts how often it is asked to decode."""

    def __init__(self, images=IMAGES):
        self.images = images
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return iter([self.images[:1], self.images[1:]])


@pytest.fixture(params=["memory", "disk"])
def on_disk(request):
    return request.param == "disk"


def get(folder, decoder, *, settings=(None, "rgb"), expected="same", on_disk=False):
    images = cached(folder, list(settings), expected, IMAGES.shape, decoder, on_disk=on_disk)
    assert isinstance(images, OnDisk) == on_disk
    return in_memory(images).numpy()


def test_decoded_images_are_read_back_from_the_cache(tmp_path, on_disk):
    first, second = Decoder(), Decoder()
    np.testing.assert_array_equal(get(tmp_path, first, on_disk=on_disk), IMAGES)
    again = get(tmp_path, second, on_disk=on_disk)
    np.testing.assert_array_equal(again, IMAGES)
    assert again.dtype == np.uint8
    assert (first.asked, second.asked) == (1, 0)


def test_images_in_memory_and_on_disk_share_a_cache_file(tmp_path, on_disk):
    get(tmp_path, Decoder(), on_disk=not on_disk)
    kept = Decoder()
    np.testing.assert_array_equal(get(tmp_path, kept, on_disk=on_disk), IMAGES)
    assert kept.asked == 0


def test_a_cache_file_that_numpy_has_written_is_read(tmp_path, cache, on_disk):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    np.savez(file, fingerprint=np.array("same"), images=IMAGES + 1)
    np.testing.assert_array_equal(get(tmp_path, Decoder(), on_disk=on_disk), IMAGES + 1)


def test_images_with_a_new_fingerprint_are_decoded_and_replace_the_old(tmp_path, cache, on_disk):
    get(tmp_path, Decoder(), on_disk=on_disk)
    other = {"expected": "other", "on_disk": on_disk}
    np.testing.assert_array_equal(get(tmp_path, Decoder(IMAGES + 1), **other), IMAGES + 1)
    assert len(list(cache.glob("*.npz"))) == 1
    np.testing.assert_array_equal(get(tmp_path, Decoder(), **other), IMAGES + 1)


def test_each_size_mode_and_folder_has_its_own_cache_file(tmp_path):
    (tmp_path / "other").mkdir()
    get(tmp_path, Decoder())
    for folder, settings in (
        (tmp_path, (32, "rgb")),
        (tmp_path, (None, "grey")),
        (tmp_path / "other", (None, "rgb")),
    ):
        decoder = Decoder()
        get(folder, decoder, settings=settings)
        assert decoder.asked == 1
    kept = Decoder()
    get(tmp_path, kept)
    assert kept.asked == 0


@pytest.mark.parametrize("place", np.linspace(0, 1, 40, endpoint=False))
def test_a_flipped_bit_anywhere_never_reaches_the_images(tmp_path, cache, place, on_disk):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    damaged = bytearray(file.read_bytes())
    damaged[int(place * len(damaged))] ^= 1
    file.write_bytes(damaged)
    np.testing.assert_array_equal(get(tmp_path, Decoder(), on_disk=on_disk), IMAGES)


@pytest.mark.parametrize("left", [0, 10, 0.5, 0.99])
def test_a_truncated_cache_is_replaced_with_a_warning(tmp_path, cache, caplog, left, on_disk):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(left if left >= 1 else left * len(whole))])
    decoder, later = Decoder(), Decoder()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, decoder, on_disk=on_disk), IMAGES)
    assert decoder.asked == 1
    assert "damaged and will be made again" in caplog.text
    get(tmp_path, later, on_disk=on_disk)
    assert later.asked == 0


def test_a_damaged_pixel_is_decoded_again(tmp_path, cache, on_disk):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    content = file.read_bytes()
    assert content.count(IMAGES.tobytes()) == 1
    file.write_bytes(content.replace(IMAGES.tobytes(), (IMAGES ^ 1).tobytes()))
    decoder = Decoder()
    np.testing.assert_array_equal(get(tmp_path, decoder, on_disk=on_disk), IMAGES)
    assert decoder.asked == 1


def test_an_unwritable_cache_only_costs_time(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)
    assert "are not cached" in caplog.text


def test_an_unwritable_cache_is_an_error_for_images_that_stay_on_disk(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError):
        get(tmp_path, Decoder(), on_disk=True)


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_only_costs_time_for_images_in_memory(tmp_path, monkeypatch, cache, caplog):
    monkeypatch.setattr(os, "posix_fallocate", full)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)
    assert "No space left" in caplog.text
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


@pytest.mark.parametrize("when", ["posix_fallocate", "fsync"])  # before and after decoding
def test_a_full_disk_is_an_error_for_images_that_stay_there(tmp_path, monkeypatch, cache, when):
    monkeypatch.setattr(os, when, full)
    decoder = Decoder()
    with pytest.raises(OSError, match=rf"No space left on device: '{cache}/\w+\.npz'") as caught:
        get(tmp_path, decoder, on_disk=True)
    assert caught.value.errno == errno.ENOSPC
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    monkeypatch.undo()


def test_a_file_system_that_cannot_reserve_room_is_written_to_all_the_same(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    np.testing.assert_array_equal(get(tmp_path, Decoder(), on_disk=True), IMAGES)


@pytest.mark.parametrize("error", [ValueError("a bad image"), KeyboardInterrupt()])
def test_decoding_that_is_interrupted_leaves_nothing_half_written(tmp_path, cache, on_disk, error):
    def broken():
        yield IMAGES[:1]
        raise error

    get(tmp_path, Decoder(IMAGES + 1), expected="before")
    with pytest.raises(type(error)):
        get(tmp_path, broken, on_disk=on_disk)
    assert sorted(path.suffix for path in cache.iterdir()) == [".lock", ".npz"]
    kept = Decoder()
    np.testing.assert_array_equal(get(tmp_path, kept, expected="before", on_disk=on_disk), IMAGES + 1)
    assert kept.asked == 0


def test_a_file_that_is_open_keeps_its_images_when_the_cache_is_made_again(tmp_path):
    opened = cached(tmp_path, [], "same", IMAGES.shape, Decoder(), on_disk=True)
    cached(tmp_path, [], "other", IMAGES.shape, Decoder(IMAGES + 1), on_disk=True)
    np.testing.assert_array_equal(opened.read().numpy(), IMAGES)


def test_processes_that_start_together_decode_once(tmp_path):
    code = f"""
import time
from pathlib import Path
import numpy as np
from dlx.data.image_cache import cached
def decode():
    print("decoded", flush=True)
    time.sleep(0.5)
    yield np.zeros((1, 1, 2, 2), dtype=np.uint8)
images = cached(Path({str(tmp_path)!r}), [], "same", (1, 1, 2, 2), decode, on_disk=True)
assert tuple(images.shape) == (1, 1, 2, 2)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    running = [subprocess.Popen(command, stdout=-1, stderr=-1) for _ in range(2)]
    outputs = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 2, outputs
    assert b"".join(out for out, _ in outputs) == b"decoded\n"


def test_the_fingerprint_changes_with_names_sizes_times_and_settings(tmp_path):
    def write(name, content, time):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (time, time))

    write("a", b"12", 1000)
    write("b", b"34", 1000)
    base = fingerprint(tmp_path, ["a", "b"], [None, "rgb"])
    assert fingerprint(tmp_path, ["a", "b"], [None, "rgb"]) == base
    seen = {base, fingerprint(tmp_path, ["a"], [None, "rgb"]), fingerprint(tmp_path, ["a", "b"], [32, "rgb"])}
    write("a", b"123", 1000)
    seen.add(fingerprint(tmp_path, ["a", "b"], [None, "rgb"]))
    write("a", b"12", 1001)
    seen.add(fingerprint(tmp_path, ["a", "b"], [None, "rgb"]))
    (tmp_path / "a").rename(tmp_path / "c")
    seen.add(fingerprint(tmp_path, ["c", "b"], [None, "rgb"]))
    assert len(seen) == 6
