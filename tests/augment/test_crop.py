import pytest
import torch
import torch.nn.functional as F

from dlx.augment.crop import Crop


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


def test_places_are_uniform_over_the_padded_image() -> None:
    moves = Crop(1).draw(torch.Generator().manual_seed(0), (9000, 1, 8, 8))
    counts = torch.bincount((moves[:, 0] + 1) * 3 + moves[:, 1] + 1, minlength=9)
    assert counts.tolist() == pytest.approx([1000] * 9, abs=120)


def test_the_input_is_left_as_it_is() -> None:
    images = torch.ones(1, 1, 3, 3)
    cropped = Crop.apply(images, torch.tensor([[1, 0]]))
    assert torch.equal(images, torch.ones(1, 1, 3, 3))
    assert cropped[0, 0].tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 1]]
