import numpy as np
import pytest
import torch

from dlx.data import standardise
from dlx.data.on_disk import ArrayFile, OnDisk
from dlx.data.standardise import fit


def uint8(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def normal(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3 + 1000


def test_none_keeps_the_raw_values():
    x = uint8(5, 1, 3, 3)
    result = fit("none", x, 255.0)(x)
    assert result.dtype == torch.float64
    assert torch.equal(result, x.double())


def test_unit_divides_by_white():
    x = torch.tensor([[[[0, 4], [8, 16]]]], dtype=torch.uint8)
    assert fit("unit", x, 16.0)(x).flatten().tolist() == [0.0, 0.25, 0.5, 1.0]


def test_unit_without_white_maps_the_training_range_to_zero_and_one():
    train = torch.tensor([[2.0, 4.0], [6.0, 10.0]])
    scaled = fit("unit", train, None)
    assert scaled(train).flatten().tolist() == [0.0, 0.25, 0.5, 1.0]
    assert scaled(torch.tensor([[12.0, 0.0]])).tolist() == [[1.25, -0.25]]


def test_mean_std_of_images_is_by_channel_and_agrees_with_numpy():
    x = uint8(50, 3, 4, 5)
    x[:, 1] //= 3
    expected = x.double().numpy()
    mean, std = expected.mean((0, 2, 3)), expected.std((0, 2, 3))
    fitted = fit("mean_std", x, 255.0)
    np.testing.assert_allclose(fitted.mean.squeeze().numpy(), mean, rtol=1e-13)
    np.testing.assert_allclose(fitted.scale.squeeze().numpy(), std, rtol=1e-13)
    assert abs(mean[0] - mean[1]) > 50
    by_hand = (expected - mean[None, :, None, None]) / std[None, :, None, None]
    np.testing.assert_allclose(fitted(x).numpy(), by_hand, rtol=1e-12, atol=1e-12)


def test_mean_std_by_feature_agrees_with_numpy_and_only_centres_constants():
    x = normal(40, 3) * torch.tensor([1.0, 100.0, 0.0])
    fitted = fit("mean_std_by_feature", x, None)
    by_hand = (x.numpy() - x.numpy().mean(0)) / [*x.numpy().std(0)[:2], 1]
    np.testing.assert_allclose(fitted(x).numpy(), by_hand, rtol=1e-9, atol=1e-9)
    pixels = uint8(20, 3, 4, 5)
    expected = pixels.double().numpy()
    np.testing.assert_allclose(fit("mean_std_by_feature", pixels, 255.0).scale.numpy(), expected.std(0))


@pytest.mark.parametrize("shape", [(40, 7), (40, 2, 3, 3)])
@pytest.mark.parametrize("chunk_values", [10, 1 << 24])
def test_mean_std_of_floats_does_not_cancel_and_does_not_depend_on_the_chunks(
    monkeypatch, shape, chunk_values
):
    monkeypatch.setattr(standardise, "CHUNK_VALUES", chunk_values)
    x = normal(*shape)
    axes = (0, 2, 3) if len(shape) == 4 else None
    fitted = fit("mean_std", x, None)
    np.testing.assert_allclose(fitted.mean.squeeze().numpy(), x.numpy().mean(axes), rtol=1e-13)
    np.testing.assert_allclose(fitted.scale.squeeze().numpy(), x.numpy().std(axes), rtol=1e-12)


def test_mean_std_of_flat_uint8_is_overall():
    x = uint8(30, 6)
    x[:, 0] = 0
    fitted = fit("mean_std", x, None)
    assert fitted.mean.shape == ()
    np.testing.assert_allclose(fitted.mean.numpy(), x.double().mean().numpy(), rtol=1e-13)
    np.testing.assert_allclose(fitted.scale.numpy(), x.numpy().astype(float).std(), rtol=1e-13)


@pytest.mark.parametrize("method", ["none", "unit", "mean_std", "mean_image"])
@pytest.mark.parametrize("shape", [(23, 3, 4, 5), (23, 1, 4, 5), (23, 7)])
@pytest.mark.parametrize("white", [255.0, None])
@pytest.mark.parametrize("chunk_values", [30, 1 << 24])
def test_samples_on_disk_have_the_statistics_of_those_in_memory_to_the_last_bit(
    monkeypatch, tmp_path, method, shape, white, chunk_values
):
    x = uint8(*shape)
    rows = torch.randperm(23, generator=torch.Generator().manual_seed(1))[:17]
    expected = fit(method, x[rows], white)
    np.savez(tmp_path / "x.npz", inputs=x.numpy())
    monkeypatch.setattr(standardise, "CHUNK_VALUES", chunk_values)
    fitted = fit(method, OnDisk(ArrayFile(tmp_path / "x.npz", "inputs"))[rows], white)
    assert fitted.mean.shape == expected.mean.shape
    assert torch.equal(fitted.mean, expected.mean)
    assert torch.equal(fitted.scale, expected.scale)


def test_constant_values_are_centred_and_not_divided_by_zero():
    x = uint8(10, 2, 3, 3)
    x[:, 0] = 7
    result = fit("mean_std", x, 255.0)(x)
    assert torch.equal(result[:, 0], torch.zeros(10, 3, 3, dtype=torch.float64))
    same = torch.full((4, 2), 3.0)
    assert torch.equal(fit("unit", same, None)(same), torch.zeros(4, 2, dtype=torch.float64))


@pytest.mark.parametrize("chunk_values", [30, 1 << 24])
def test_mean_image_is_subtracted_pixel_by_pixel_on_the_raw_scale(monkeypatch, chunk_values):
    monkeypatch.setattr(standardise, "CHUNK_VALUES", chunk_values)
    x = uint8(20, 3, 2, 2)
    expected = x.numpy().astype(float) - x.numpy().astype(float).mean(0)
    np.testing.assert_allclose(fit("mean_image", x, 255.0)(x).numpy(), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_standardising_computes_in_the_given_dtype_and_leaves_its_input(dtype):
    x = normal(6, 4).to(dtype)
    before = x.clone()
    fitted = fit("mean_std", x, None).to(dtype=dtype, device=torch.device("cpu"))
    assert fitted(x).dtype == dtype
    assert torch.equal(x, before)


def test_pixels_are_divided_as_numpy_divides_them_to_the_last_bit():
    x = torch.arange(256, dtype=torch.uint8).reshape(256, 1)
    fitted = fit("unit", x, 255.0).to(dtype=torch.float32, device=torch.device("cpu"))
    expected = x.numpy().astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(fitted(x).numpy(), expected)


@pytest.mark.parametrize("method", ["none", "unit", "mean_std", "mean_image"])
def test_undoing_gives_the_pixels_back(method):
    x = uint8(20, 3, 4, 5)
    standardised = fit(method, x, 255.0).to(dtype=torch.float32, device=torch.device("cpu"))
    torch.testing.assert_close(standardised.undo(standardised(x)), x.float(), rtol=0, atol=1e-3)
