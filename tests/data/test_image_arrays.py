import numpy as np
import pytest
from PIL import Image

from dlx import device
from dlx.data import image_arrays
from dlx.data.image_arrays import check_memory, image_size
from dlx.errors import RequestError


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def decode(*given, **more):
    """All blocks as one array."""
    return np.concatenate(list(image_arrays.decode(*given, **more)))


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
def test_images_of_several_blocks_keep_their_order(tmp_path, monkeypatch, threaded_pixels):
    monkeypatch.setattr(image_arrays, "THREADED_PIXELS", threaded_pixels)
    count = 2 * image_arrays.IMAGES_PER_BLOCK + 3
    names = [f"{index}.png" for index in range(count)]
    for index, name in enumerate(names):
        save(tmp_path, name, np.full((2, 3), index, dtype=np.uint8))
    decoded = decode(tmp_path, names, (2, 3), "grey", resize=False)
    assert decoded.shape == (count, 1, 2, 3)
    assert decoded[:, 0, 0, 0].tolist() == list(range(count))


def test_large_images_come_in_smaller_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(image_arrays, "BLOCK_BYTES", 2 * 3 * 5)
    for index in range(5):
        save(tmp_path, f"{index}.png", pixels(3, 5))
    files = [f"{index}.png" for index in range(5)]
    blocks = list(image_arrays.decode(tmp_path, files, (3, 5), "grey", resize=False))
    assert [len(block) for block in blocks] == [2, 2, 1]


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
    assert "at most 80% of the free 4 GB; set data.storage=disk, or resize" in message
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
