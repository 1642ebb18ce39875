import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from dlx.data.image_cache import cached, fingerprint

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
        return self.images


def get(folder, decoder, *, settings=(None, "rgb"), expected="same"):
    return cached(folder, list(settings), expected, decoder)


def test_what_was_decoded_once_is_read_back(tmp_path):
    first, second = Decoder(), Decoder()
    np.testing.assert_array_equal(get(tmp_path, first), IMAGES)
    again = get(tmp_path, second)
    np.testing.assert_array_equal(again, IMAGES)
    assert again.dtype == np.uint8
    assert (first.asked, second.asked) == (1, 0)


def test_another_fingerprint_is_decoded_and_takes_the_old_ones_place(tmp_path, cache):
    get(tmp_path, Decoder())
    np.testing.assert_array_equal(get(tmp_path, Decoder(IMAGES + 1), expected="other"), IMAGES + 1)
    assert len(list(cache.glob("*.npz"))) == 1
    np.testing.assert_array_equal(get(tmp_path, Decoder(), expected="other"), IMAGES + 1)


def test_another_size_mode_or_folder_has_a_place_of_its_own(tmp_path):
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
def test_a_flipped_bit_anywhere_never_reaches_the_images(tmp_path, cache, place):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    damaged = bytearray(file.read_bytes())
    damaged[int(place * len(damaged))] ^= 1
    file.write_bytes(damaged)
    np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)


@pytest.mark.parametrize("left", [0, 10, 0.5, 0.99])
def test_a_cut_file_is_decoded_again_and_replaced_with_a_warning(tmp_path, cache, caplog, left):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(left if left >= 1 else left * len(whole))])
    decoder, later = Decoder(), Decoder()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, decoder), IMAGES)
    assert decoder.asked == 1
    assert "damaged and will be made again" in caplog.text
    get(tmp_path, later)
    assert later.asked == 0


def test_a_damaged_pixel_is_decoded_again(tmp_path, cache):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    content = file.read_bytes()
    assert content.count(IMAGES.tobytes()) == 1
    file.write_bytes(content.replace(IMAGES.tobytes(), (IMAGES ^ 1).tobytes()))
    decoder = Decoder()
    np.testing.assert_array_equal(get(tmp_path, decoder), IMAGES)
    assert decoder.asked == 1


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)
    assert "are not kept" in caplog.text


def test_a_full_disk_costs_the_cache_and_leaves_no_half_file(tmp_path, monkeypatch, cache, caplog):
    def full(target, **_):
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)
    assert "No space left" in caplog.text
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_an_error_while_decoding_is_passed_on_and_nothing_kept(tmp_path, cache):
    def broken():
        raise OSError("a bad image")

    with pytest.raises(OSError, match="a bad image"):
        get(tmp_path, broken)
    assert list(cache.glob("*.npz")) == []


def test_processes_that_start_together_decode_once(tmp_path):
    code = f"""
import time
from pathlib import Path
import numpy as np
from dlx.data.image_cache import cached
def decode():
    print("decoded", flush=True)
    time.sleep(0.5)
    return np.zeros((1, 1, 2, 2), dtype=np.uint8)
assert cached(Path({str(tmp_path)!r}), [None, "rgb"], "same", decode).shape == (1, 1, 2, 2)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    running = [subprocess.Popen(command, stdout=-1, stderr=-1) for _ in range(4)]
    outputs = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 4, outputs
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
