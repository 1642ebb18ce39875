import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from dlx import device
from dlx.data import image_arrays
from dlx.data.image_arrays import cached, check_memory, decode, fingerprint, image_size
from dlx.errors import RequestError


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(folder, name, array, **options):
    Image.fromarray(array).save(folder / name, **options)
    return array


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "webp"])
def test_lossless_images_come_back_pixel_by_pixel(tmp_path, ending):
    options = {"lossless": True} if ending == "webp" else {}
    name = f"0.{ending}"
    array = save(tmp_path, name, pixels(5, 7, 3), **options)
    assert image_size(tmp_path / name) == (5, 7)
    decoded = decode(tmp_path, [name], (5, 7), "rgb", resize=False)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, array.transpose(2, 0, 1)[None])


@pytest.mark.parametrize("threaded_pixels", [0, 10**9])  # every core, or one thread
def test_images_of_several_tasks_keep_their_order(tmp_path, monkeypatch, threaded_pixels):
    monkeypatch.setattr(image_arrays, "THREADED_PIXELS", threaded_pixels)
    count = 2 * image_arrays.IMAGES_PER_TASK + 3
    names = [f"{index}.png" for index in range(count)]
    for index, name in enumerate(names):
        save(tmp_path, name, np.full((2, 3), index, dtype=np.uint8))
    decoded = decode(tmp_path, names, (2, 3), "grey", resize=False)
    assert decoded.shape == (count, 1, 2, 3)
    assert decoded[:, 0, 0, 0].tolist() == list(range(count))


def test_grey_images_become_rgb_and_colours_become_grey(tmp_path):
    grey = save(tmp_path, "grey.png", pixels(4, 4))
    decoded = decode(tmp_path, ["grey.png"], (4, 4), "rgb", resize=False)
    np.testing.assert_array_equal(decoded[0], np.stack([grey] * 3))
    save(tmp_path, "red.png", np.tile(np.array([255, 0, 0], dtype=np.uint8), (4, 4, 1)))
    # ITU-R 601: 0.299 of red.
    assert (decode(tmp_path, ["red.png"], (4, 4), "grey", resize=False) == 76).all()


def test_transparency_is_dropped_without_a_warning(tmp_path):
    palette = Image.fromarray(pixels(4, 4, 3)).quantize(8)
    palette.save(tmp_path / "palette.png", transparency=b"\x00\x80\xff\xff\xff\xff\xff\xff")
    decoded = decode(tmp_path, ["palette.png"], (4, 4), "rgb", resize=False)
    np.testing.assert_array_equal(decoded[0], np.asarray(palette.convert("RGB")).transpose(2, 0, 1))


def test_resizing_takes_any_shape_to_height_and_width(tmp_path):
    save(tmp_path, "a.png", np.full((40, 10, 3), 100, dtype=np.uint8))
    save(tmp_path, "b.png", np.full((8, 6, 3), 200, dtype=np.uint8))
    decoded = decode(tmp_path, ["a.png", "b.png"], (8, 6), "rgb", resize=True)
    assert decoded.shape == (2, 3, 8, 6)
    assert (decoded[0] == 100).all()
    assert (decoded[1] == 200).all()


def test_shrinking_averages_rather_than_picks(tmp_path):
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    save(tmp_path, "board.png", board)
    decoded = decode(tmp_path, ["board.png"], (8, 8), "grey", resize=True)
    assert abs(decoded.astype(int) - 128).max() < 8


def test_a_large_jpeg_is_shrunk_close_to_what_the_whole_image_would_give(tmp_path):
    smooth = np.linspace(0, 255, 256).astype(np.uint8)[None, :, None].repeat(256, 0).repeat(3, 2)
    save(tmp_path, "big.jpg", smooth, quality=95)
    decoded = decode(tmp_path, ["big.jpg"], (16, 16), "rgb", resize=True)
    expected = smooth.reshape(16, 16, 16, 16, 3).mean((1, 3)).transpose(2, 0, 1)
    assert abs(decoded[0] - expected).max() < 6


def test_without_a_size_the_error_names_the_first_image_that_differs(tmp_path):
    for name, shape in (("0.png", (4, 5)), ("1.png", (4, 5)), ("2.png", (5, 4)), ("3.png", (9, 9))):
        save(tmp_path, name, pixels(*shape))
    with pytest.raises(RequestError, match=r"data\.size=null: .*2\.png is 5x4 and 0\.png is 4x5"):
        decode(tmp_path, ["0.png", "1.png", "2.png", "3.png"], (4, 5), "rgb", resize=False)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n broken"])
def test_the_error_names_a_file_that_is_not_an_image(tmp_path, content):
    save(tmp_path, "0.png", pixels(4, 4))
    (tmp_path / "1.png").write_bytes(content)
    with pytest.raises(RequestError, match=r"data\.path: .*1\.png cannot be read as an image"):
        decode(tmp_path, ["0.png", "1.png"], (4, 4), "rgb", resize=True)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_the_error_names_a_truncated_image(tmp_path, ending):
    save(tmp_path, f"0.{ending}", pixels(64, 64, 3))
    whole = (tmp_path / f"0.{ending}").read_bytes()
    (tmp_path / f"0.{ending}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RequestError, match=rf"0\.{ending} cannot be read as an image"):
        decode(tmp_path, [f"0.{ending}"], (64, 64), "rgb", resize=False)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_photograph_is_turned_upright_by_its_tag(tmp_path, ending, orientation):
    # How an upright picture is stored by a camera that was held so (EXIF 2.3, table 6).
    stored = {
        1: lambda image: image,
        2: lambda image: image[:, ::-1],
        3: lambda image: image[::-1, ::-1],
        4: lambda image: image[::-1],
        5: lambda image: image.transpose(1, 0, 2),
        6: lambda image: np.rot90(image, 1),
        7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
        8: lambda image: np.rot90(image, -1),
    }
    picture = np.zeros((16, 32, 3), dtype=np.uint8)
    picture[:8, :8] = 250  # the upper left corner alone is white
    tag = Image.Exif()
    tag[0x112] = orientation
    turned = np.ascontiguousarray(stored[orientation](picture))
    Image.fromarray(turned).save(tmp_path / f"a.{ending}", exif=tag, quality=100)
    assert image_size(tmp_path / f"a.{ending}") == (16, 32)
    (upright,) = decode(tmp_path, [f"a.{ending}"], (16, 32), "grey", resize=False)
    assert np.abs(upright[0].astype(int) - picture[..., 0]).max() <= (0 if ending == "png" else 10)
    (small,) = decode(tmp_path, [f"a.{ending}"], (2, 4), "grey", resize=True)
    assert small[0, 0, 0] == small.max()


def test_sixteen_bits_per_pixel_are_refused_not_clipped(tmp_path):
    save(tmp_path, "0.png", np.full((4, 4), 40000, dtype=np.uint16))
    with pytest.raises(RequestError, match=r"0\.png has more than 8 bits per pixel"):
        decode(tmp_path, ["0.png"], (4, 4), "grey", resize=False)


def test_images_that_do_not_fit_into_memory_are_refused_with_the_numbers(monkeypatch):
    monkeypatch.setattr(device, "available_bytes", lambda: 4_000_000_000)
    check_memory(10_000, (200, 200), "rgb")  # 2.4 GB of 3.2
    with pytest.raises(RequestError) as caught:
        check_memory(100_000, (200, 200), "rgb")
    message = str(caught.value)
    assert "100000 images of 200x200 need about 24 GB of memory" in message
    assert "at most 80% of the free 4 GB;" in message
    assert message.endswith("data.size=32")
    check_memory(100_000, (32, 32), "rgb")  # so what it recommends is let through


def test_the_recommended_size_fits(monkeypatch):
    monkeypatch.setattr(device, "available_bytes", lambda: 10_000_000)
    with pytest.raises(RequestError, match=r"data\.size=11$"):
        check_memory(10_000, (200, 100), "rgb")
    check_memory(10_000, (11, 11), "rgb")


def test_grey_needs_a_third_and_unknown_memory_refuses_nothing(monkeypatch):
    monkeypatch.setattr(device, "available_bytes", lambda: 10_000_000)
    check_memory(1000, (50, 50), "grey")
    with pytest.raises(RequestError):
        check_memory(1000, (50, 50), "rgb")
    monkeypatch.setattr(device, "available_bytes", lambda: None)
    check_memory(10**9, (50, 50), "rgb")


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


def test_decoded_images_are_read_back_from_the_cache(tmp_path):
    first, second = Decoder(), Decoder()
    np.testing.assert_array_equal(get(tmp_path, first), IMAGES)
    again = get(tmp_path, second)
    np.testing.assert_array_equal(again, IMAGES)
    assert again.dtype == np.uint8
    assert (first.asked, second.asked) == (1, 0)


def test_images_with_a_new_fingerprint_are_decoded_and_replace_the_old(tmp_path, cache):
    get(tmp_path, Decoder())
    np.testing.assert_array_equal(get(tmp_path, Decoder(IMAGES + 1), expected="other"), IMAGES + 1)
    assert len(list(cache.glob("*.npz"))) == 1
    np.testing.assert_array_equal(get(tmp_path, Decoder(), expected="other"), IMAGES + 1)


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
def test_a_flipped_bit_anywhere_never_reaches_the_images(tmp_path, cache, place):
    get(tmp_path, Decoder())
    (file,) = cache.glob("*.npz")
    damaged = bytearray(file.read_bytes())
    damaged[int(place * len(damaged))] ^= 1
    file.write_bytes(damaged)
    np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)


@pytest.mark.parametrize("left", [0, 10, 0.5, 0.99])
def test_a_truncated_cache_is_replaced_with_a_warning(tmp_path, cache, caplog, left):
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


def test_an_unwritable_cache_only_costs_time(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)
    assert "are not cached" in caplog.text


def test_a_full_disk_leaves_no_half_written_cache(tmp_path, monkeypatch, cache, caplog):
    def full(target, **_):
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(get(tmp_path, Decoder()), IMAGES)
    assert "No space left" in caplog.text
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_an_error_while_decoding_is_raised_and_nothing_is_cached(tmp_path, cache):
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
from dlx.data.image_arrays import cached
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
