import pytest
import torch
import torch.nn.functional as F

from dlx.augment.transforms import Crop, Cutout, Flip, GaussianNoise, Shift
from dlx.errors import RequestError


def test_only_the_drawn_images_are_mirrored_left_to_right() -> None:
    images = torch.arange(12.0).view(2, 1, 2, 3)
    flipped = Flip.apply(images, torch.tensor([True, False]))
    assert flipped[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert torch.equal(flipped[1], images[1])
    assert torch.equal(images, torch.arange(12.0).view(2, 1, 2, 3))


@pytest.mark.parametrize(("flip", "share"), [(True, 0.5), (0.2, 0.2), (1.0, 1.0)])
def test_true_flips_half_of_the_images_and_a_number_that_share(flip: bool | float, share: float) -> None:
    draws = Flip(flip).draw(torch.Generator().manual_seed(0), (10000, 1, 2, 2))
    assert draws.float().mean().item() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("flip", [-0.1, 2.0])
def test_a_probability_outside_0_to_1_is_refused(flip: float) -> None:
    with pytest.raises(RequestError, match=r"augment.flip=.*: give true, false or a probability"):
        Flip(flip)


def test_each_image_is_rolled_as_torch_rolls_it_alone() -> None:
    images = torch.rand(6, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    moves = torch.tensor([[0, 0], [1, 0], [-2, 0], [0, 3], [0, -1], [-5, 9]])
    expected = torch.stack(
        [
            torch.roll(image, (int(down), int(right)), dims=(1, 2))
            for image, (down, right) in zip(images, moves, strict=True)
        ]
    )
    assert torch.equal(Shift.apply(images, moves), expected)


def test_moves_are_uniform_and_independent_between_directions() -> None:
    moves = Shift(1).draw(torch.Generator().manual_seed(0), (9000, 1, 8, 8))
    pair = (moves[:, 0] + 1) * 3 + moves[:, 1] + 1
    counts = torch.bincount(pair, minlength=9)
    assert moves.shape == (9000, 2)
    # 1000 expected in each of the nine cells, standard deviation 30.
    assert counts.tolist() == pytest.approx([1000] * 9, abs=120)


def test_the_input_is_left_as_it_is_and_float64_stays() -> None:
    images = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    before = images.clone()
    shifted = Shift.apply(images, torch.tensor([[1, 1], [0, 0]]))
    assert torch.equal(images, before)
    assert shifted.dtype == torch.float64
    assert not torch.equal(shifted[0], images[0])


def test_images_that_are_not_contiguous_are_rolled_too() -> None:
    images = torch.rand(2, 4, 4, 3).permute(0, 3, 1, 2)
    moves = torch.tensor([[1, 2], [-1, 0]])
    assert torch.equal(Shift.apply(images, moves)[0], torch.roll(images[0], (1, 2), dims=(1, 2)))


def test_each_image_is_the_crop_of_its_zero_padded_self() -> None:
    padding, height, width = 2, 5, 7
    images = torch.rand(25, 3, height, width, generator=torch.Generator().manual_seed(0)) + 1
    moves = torch.cartesian_prod(torch.arange(-2, 3), torch.arange(-2, 3))
    padded = F.pad(images, (padding,) * 4)
    expected = torch.stack(
        [
            picture[:, padding - down : padding - down + height, padding - right : padding - right + width]
            for picture, (down, right) in zip(padded, moves.tolist(), strict=True)
        ]
    )
    assert torch.equal(Crop.apply(images, moves), expected)


def test_crops_are_uniform_over_the_padded_image() -> None:
    moves = Crop(1).draw(torch.Generator().manual_seed(0), (9000, 1, 8, 8))
    counts = torch.bincount((moves[:, 0] + 1) * 3 + moves[:, 1] + 1, minlength=9)
    assert counts.tolist() == pytest.approx([1000] * 9, abs=120)


def test_the_input_is_left_as_it_is() -> None:
    images = torch.ones(1, 1, 3, 3)
    cropped = Crop.apply(images, torch.tensor([[1, 0]]))
    assert torch.equal(images, torch.ones(1, 1, 3, 3))
    assert cropped[0, 0].tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("side", [1, 2, 3, 8])
def test_a_square_around_the_drawn_centre_is_zero_and_clipped_at_the_border(side: int) -> None:
    shape = (50, 2, 6, 9)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 1
    draws = Cutout(side).draw(torch.Generator().manual_seed(1), shape)
    again = torch.Generator().manual_seed(1)
    centres = zip(*(torch.randint(n, (50,), generator=again).tolist() for n in (6, 9)), strict=True)
    expected = images.clone()
    for image, (row, column) in zip(expected, centres, strict=True):
        top, left = row - side // 2, column - side // 2
        image[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
    assert torch.equal(Cutout.apply(images, draws), expected)


def test_the_centre_is_uniform_over_the_pixels() -> None:
    images = torch.ones(12000, 1, 3, 4)
    draws = Cutout(1).draw(torch.Generator().manual_seed(0), (12000, 1, 3, 4))
    hits = (Cutout.apply(images, draws) == 0).sum(0).flatten()
    assert images.min() == 1
    # 1000 expected at each of the twelve pixels, standard deviation 30.
    assert hits.tolist() == pytest.approx([1000] * 12, abs=120)


@pytest.mark.parametrize("shape", [(200, 1, 10, 10), (200, 100)])
def test_noise_is_normal_of_the_given_deviation_and_not_clipped(shape: tuple[int, ...]) -> None:
    noise = GaussianNoise(0.1).draw(torch.Generator().manual_seed(0), shape)
    noisy = GaussianNoise.apply(torch.ones(shape), noise)
    assert noise.mean().item() == pytest.approx(0, abs=0.003)
    assert noise.std().item() == pytest.approx(0.1, rel=0.02)
    assert (noise.abs() < 0.1).float().mean().item() == pytest.approx(0.6827, abs=0.02)
    assert noisy.max() > 1.2


def test_every_value_of_every_image_has_its_own_draw() -> None:
    noise = GaussianNoise(0.1).draw(torch.Generator().manual_seed(0), (4, 1, 3, 3))
    assert noise.unique().numel() == noise.numel()


def test_a_float64_batch_gets_the_same_noise_and_stays_float64() -> None:
    images = torch.zeros(2, 5, dtype=torch.float64)
    noise = GaussianNoise(0.5).draw(torch.Generator().manual_seed(3), images.shape)
    noisy = GaussianNoise.apply(images, noise)
    assert noisy.dtype == torch.float64
    assert torch.equal(noisy.float(), noise)
    assert torch.equal(images, torch.zeros(2, 5, dtype=torch.float64))
