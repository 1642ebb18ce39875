import pytest
import torch

from dlx.augment.noise import Noise


@pytest.mark.parametrize("shape", [(200, 1, 10, 10), (200, 100)])
def test_noise_is_normal_of_the_given_deviation_and_not_clipped(shape: tuple[int, ...]) -> None:
    noise = Noise(0.1).draw(torch.Generator().manual_seed(0), shape)
    noisy = Noise.apply(torch.ones(shape), noise)
    assert noise.mean().item() == pytest.approx(0, abs=0.003)
    assert noise.std().item() == pytest.approx(0.1, rel=0.02)
    assert (noise.abs() < 0.1).float().mean().item() == pytest.approx(0.6827, abs=0.02)
    assert noisy.max() > 1.2


def test_every_value_of_every_image_has_its_own_draw() -> None:
    noise = Noise(0.1).draw(torch.Generator().manual_seed(0), (4, 1, 3, 3))
    assert noise.unique().numel() == noise.numel()


def test_a_float64_batch_gets_the_same_noise_and_stays_float64() -> None:
    images = torch.zeros(2, 5, dtype=torch.float64)
    noise = Noise(0.5).draw(torch.Generator().manual_seed(3), images.shape)
    noisy = Noise.apply(images, noise)
    assert noisy.dtype == torch.float64
    assert torch.equal(noisy.float(), noise)
    assert torch.equal(images, torch.zeros(2, 5, dtype=torch.float64))
